-- True when everything that set_up.sql makes is there.
SELECT to_regclass('freshet.vector_indexes') IS NOT NULL
   AND to_regclass('freshet.tables') IS NOT NULL
   AND to_regclass('freshet.chunks') IS NOT NULL
   AND to_regclass('freshet.definitions') IS NOT NULL
   AND to_regclass('freshet.fence') IS NOT NULL
   AND to_regclass('freshet.quarantine') IS NOT NULL
   AND to_regclass('freshet.table_objects') IS NOT NULL
   AND to_regclass('freshet.table_objects_other_idx') IS NOT NULL
   AND to_regprocedure('freshet.may_stand(freshet.table_objects)') IS NOT NULL
   AND to_regprocedure('freshet.advance(text,text,bigint,pg_lsn,pg_lsn,bigint)') IS NOT NULL
   AND to_regprocedure('freshet.check_fence(text,bigint)') IS NOT NULL
   AND to_regprocedure('freshet.expect(bigint,bigint)') IS NOT NULL
