-- $1 pipeline, $2 holder. Fences older writers; waits for what they are committing just now.
WITH raised AS (
  INSERT INTO freshet.progress AS p (pipeline, fence, holder) VALUES ($1, 1, $2)
  ON CONFLICT (pipeline) DO UPDATE SET fence = p.fence + 1, holder = excluded.holder
  RETURNING *
), copiers AS (
  INSERT INTO freshet.fence AS f (pipeline, fence) SELECT pipeline, fence FROM raised
  ON CONFLICT (pipeline) DO UPDATE SET fence = excluded.fence
  RETURNING fence
)
SELECT raised.fence, position, system_identifier, timeline, slot_name, consistent_point, epoch
FROM raised, copiers
