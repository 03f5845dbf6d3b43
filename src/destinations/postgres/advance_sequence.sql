-- $1 sequence, $2 value: moves it there, never back.
SELECT setval(seqrelid::regclass, $2::bigint) FROM pg_sequence
WHERE seqrelid = $1::regclass
  AND CASE WHEN seqincrement > 0 THEN pg_sequence_last_value(seqrelid) >= $2::bigint
           ELSE pg_sequence_last_value(seqrelid) <= $2::bigint END IS NOT TRUE
