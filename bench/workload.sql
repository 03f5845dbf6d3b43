-- Tables, publications and generators at the source. Rows are made from their number alone, but
-- for the time of a streamed row; no value needs escaping in COPY's text form (see checksum.py).
CREATE TABLE bench_copy (
  id bigint PRIMARY KEY, a int, b text, c timestamptz, d numeric(12,2), e jsonb
);
CREATE TABLE bench_stream (LIKE bench_copy INCLUDING ALL);
CREATE PUBLICATION bench_copy FOR TABLE bench_copy;
CREATE PUBLICATION bench_stream FOR TABLE bench_stream;

CREATE PROCEDURE fill_copy(row_count bigint) LANGUAGE sql AS $$
  INSERT INTO bench_copy
  SELECT g, (g * 7919 % 1000003)::int, md5(g::text),
         timestamptz '2024-01-01 00:00:00+00' + g * interval '1.234567 s',
         ((g * 104729) % 1000000000)::numeric / 100,
         jsonb_build_object('k', g % 1000, 't', 'v' || (g % 97), 'ok', g % 2 = 0)
  FROM generate_series(1::bigint, row_count) g;
$$;

-- Commits after every `per` rows.
CREATE PROCEDURE write_backlog(row_count bigint, per bigint) LANGUAGE plpgsql AS $$
DECLARE
  first bigint := 1;
BEGIN
  WHILE first <= row_count LOOP
    INSERT INTO bench_stream
    SELECT g, (g * 7919 % 1000003)::int, md5(g::text), clock_timestamp(),
           ((g * 104729) % 1000000000)::numeric / 100,
           jsonb_build_object('k', g % 1000, 't', 'v' || (g % 97), 'ok', g % 2 = 0)
    FROM generate_series(first, least(first + per - 1, row_count)) g;
    COMMIT;
    first := first + per;
  END LOOP;
END
$$;
