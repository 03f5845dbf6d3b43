-- The publications named in $1.
SELECT pubname, pubinsert, pubupdate, pubdelete, pubtruncate, pubviaroot
FROM pg_publication WHERE pubname = ANY ($1::text[])
