"""Runs one scenario against one version, in one phase, with one setting of its options."""

import os
import re
from pathlib import Path

from psycopg import errors, sql
from servers import Standby

from harness.cells import Cell
from harness.clock import fake_clock
from harness.database import Database, difference
from harness.engine import capture_sql
from harness.environment import CANARY, Pair, create_database, drop_database, new_name
from harness.freshet import FreshetSystem
from harness.lsn import format_lsn
from harness.native import NativeSystem
from harness.poller import Poller
from harness.proxy import HoldingProxy
from harness.scenario import Scenario, Step
from harness.sessions import Session, SqlFailed, errors_in
from harness.waiting import wait_until

# What a copy says before it reads a table: Freshet locks first, a subscription just copies.
_BEFORE_COPY = r"\bLOCK TABLE\b|^COPY "
_EXIT_SECONDS_MAX = 60.0


class ScenarioRun:
    """The state of one run; every kind of step has a method of its name."""

    def __init__(self, scenario: Scenario, cell: Cell, pair: Pair, directory: Path):
        self.scenario = scenario
        self.cell = cell
        self.pair = pair
        self.directory = directory
        self.name = new_name(re.sub(r"\W+", "_", scenario.ids[0].lower()))
        self.options = scenario.options | scenario.variants.get(cell.variant, {})
        self.source = Database(pair.source, self.name)
        self.target = Database(pair.destination, self.name)
        self.proxies: dict[str, HoldingProxy] = {}
        self.sessions: dict[tuple[str, str], Session] = {}
        self.submitted: dict[tuple[str, str], Step] = {}
        self.pollers: list[Poller] = []
        self.remembered: dict[str, list[tuple]] = {}
        self.second = None
        self.standby: Standby | None = None
        self.is_copy_held = False
        self.is_running = False
        self.step: Step | None = None

    # -- the whole ----------------------------------------------------------

    def run(self) -> None:
        """Runs all steps; an error tells the file and line that it belongs to."""
        try:
            self._prepare()
            for self.step in self.scenario.steps:
                getattr(self, f"_do_{self.step.kind}")(self.step)
            self._finish()
        except BaseException as error:  # pytest's own, too: the test took too long
            line = self.step.line if self.step else 1
            error.add_note(f"at {self.scenario.path.name}:{line} ({self.cell}, {self.name})")
            raise
        finally:
            self._clean()

    def _prepare(self) -> None:
        create_database(self.pair.source, self.name, self.scenario.encoding)
        create_database(self.pair.destination, self.name)
        settings = self.scenario.settings.items()
        for name, value in settings:
            self.source.query(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    sql.Identifier(self.name), sql.Identifier(name), sql.Literal(value)
                )
            )
        if self.scenario.captures_ddl or os.environ.get("FRESHET_TEST_CAPTURE"):
            self.source.query(capture_sql("install", self.directory))
        self.oracle = self._make_oracle()
        if self.cell.engine == "freshet":
            options = dict(self.options)
            if not self.cell.streaming:
                options["source.streaming"] = False
            if self.cell.values == "binary":
                options["source.binary"] = True
            self.system = FreshetSystem(
                self.source, self.target, self.directory,
                tables=self.scenario.tables, publications=self.scenario.publications,
                options=options,
            )
        else:
            self.system = self._make_subscription(self.target)

    def _make_oracle(self) -> NativeSystem | None:
        if self.scenario.oracle != "native" or self.cell.engine == "native":
            return None
        create_database(self.pair.destination, f"{self.name}_oracle")
        return self._make_subscription(Database(self.pair.destination, f"{self.name}_oracle"))

    def _make_subscription(self, target: Database) -> NativeSystem:
        publications = self.scenario.publications or ["harness"]
        return NativeSystem(
            self.source, target, publications, streaming=self.cell.streaming,
            two_phase=bool(self.options.get("source.two_phase")),
        )

    def _finish(self) -> None:
        for poller in self.pollers:
            poller.finish()
        for key in list(self.submitted):
            self._join(key)
        if self.is_running and self.cell.engine == "freshet":
            code = self.system.stop()
            assert code == 0, f"freshet ended with {code} on SIGTERM\n{self.system.log_text()}"
            self.system.check_acknowledged()
            left = [p for p in self.directory.rglob("*spill*") if p.is_file()]
            assert not left, f"spill files left: {left}"

    def _clean(self) -> None:
        for session in self.sessions.values():
            session.close()
        for proxy in self.proxies.values():
            proxy.close()
        if self.second:
            self.second.kill()
        if hasattr(self, "system"):
            self.system.close()
        if getattr(self, "oracle", None):
            self.oracle.close()
            self.oracle.target.close()
        self.source.close()
        self.target.close()
        if self.standby:
            self.standby.close()
            self.pair.source.start()
            self.standby.forget(self.pair.source)
        if any("ALTER SYSTEM" in step.body for step in self.scenario.steps):
            # It may have failed before it took that back; later scenarios must not feel it.
            self.pair.source.execute("ALTER SYSTEM RESET ALL")
            self.pair.source.reload()
        for server in (self.pair.source, self.pair.destination):
            drop_database(server, self.name)
        if getattr(self, "oracle", None):
            drop_database(self.pair.destination, f"{self.name}_oracle")

    # -- statements ---------------------------------------------------------

    def _do_schema(self, step: Step) -> None:
        self._sql(self._session("source", "main"), step.body, step)
        natives = [self.oracle] if self.oracle else []
        natives += [self.system] if self.cell.engine == "native" else []
        for native in natives:
            session = self._open_session(native.target, "app")
            self._sql(session, step.body, step)
            session.close()

    def _do_sql(self, step: Step) -> None:
        key = (step.args["where"], step.args.get("session", "main"))
        session = self._session(*key)
        if "async" in step.args:
            session.submit(self._filled(step.body))
            self.submitted[key] = step
        else:
            self._sql(session, step.body, step)

    def _do_join(self, step: Step) -> None:
        self._join(("source", step.args["session"]))

    def _do_wait_blocked(self, step: Step) -> None:
        name = f"scenario {step.args['session']}"
        query = (
            "SELECT count(*) > 0 FROM pg_stat_activity WHERE application_name = %s"
            " AND datname = %s AND state = 'active' AND wait_event_type IN ('Lock', 'IPC')"
        )
        wait_until(lambda: self.source.value(query, [name, self.name]), f"{name} is blocked")

    def _join(self, key: tuple[str, str]) -> None:
        step = self.submitted.pop(key)
        self._check_output(self.sessions[key].join(), step)

    def _sql(self, session: Session, body: str, step: Step) -> None:
        self._check_output(session.run(self._filled(body)), step)

    def _check_output(self, output: str, step: Step) -> None:
        errors = errors_in(output)
        wanted = step.args.get("fails")
        if wanted and not re.search(wanted, errors):
            raise SqlFailed(f"expected an error like /{wanted}/, got: {errors or 'none'}")
        if errors and not wanted:
            raise SqlFailed(errors)

    def _session(self, where: str, name: str) -> Session:
        if (where, name) not in self.sessions:
            database = self.source if where == "source" else self.target
            self.sessions[where, name] = self._open_session(database, name)
        return self.sessions[where, name]

    def _open_session(self, database: Database, name: str) -> Session:
        server = database.server
        user, secret = ("app", CANARY)
        if name == "admin":
            user, secret = server.user, server.password
        return Session(name, server.port, user, secret, database.name)

    def _filled(self, text: str) -> str:
        for name, (usual, full) in self.scenario.sizes.items():
            text = text.replace(f"${{{name}}}", full if self.cell.is_full else usual)
        return (
            text.replace("${slot}", self.system.slot)
            .replace("${pipeline}", self.name)
            .replace("${database}", self.name)
            .replace("${variant}", self.cell.variant)
            .replace("${streaming}", "on" if self.cell.streaming else "off")
        )

    # -- the engine ---------------------------------------------------------

    def _do_start(self, step: Step) -> None:
        if "second" in step.args:
            self.second = self.system.launch(self.directory / "second.log")
            return
        self._publish_for_native()
        holds_copy = self.cell.phase == "copy" and "nowait" not in step.args
        if holds_copy:
            self._proxy("source").hold(_BEFORE_COPY)
        self._start_system()
        if self.oracle and "nowait" not in step.args:
            self._start_oracle()
        if holds_copy:
            self._proxy("source").wait_held()
            self.is_copy_held = True
        elif "nowait" not in step.args:
            self.system.wait_streaming()

    def _start_system(self) -> None:
        ports = {where: proxy.port for where, proxy in self.proxies.items()}
        source_port = ports.get("source", self.pair.source.port)
        if self.cell.engine == "native":
            self.system.start(source_port)
        else:
            self.system.start(source_port, ports.get("destination", 0))
        self.is_running = True

    def _start_oracle(self) -> None:
        self.oracle.start(self.pair.source.port)
        if self.cell.phase == "stream":
            self.oracle.wait_streaming()

    def _publish_for_native(self) -> None:
        """Makes the publication of the subscriptions where the scenario names none."""
        if self.scenario.publications or not (self.oracle or self.cell.engine == "native"):
            return
        if self.source.value("SELECT count(*) FROM pg_publication WHERE pubname = 'harness'"):
            return
        parts = []
        for table in self.scenario.tables:
            part = sql.Identifier(table.schema, table.name)
            if table.columns:
                names = sql.SQL(", ").join(map(sql.Identifier, table.columns))
                part += sql.SQL(" (") + names + sql.SQL(")")
            if table.where:
                part += sql.SQL(f" WHERE ({table.where})")
            parts.append(part)
        listed = sql.SQL(", ").join(parts)
        self.source.query(
            sql.SQL("CREATE PUBLICATION harness FOR TABLE ")
            + listed + sql.SQL(" WITH (publish_via_partition_root = true)")
        )

    def _do_wait(self, step: Step) -> None:
        self._catch_up()

    def _catch_up(self) -> None:
        """Lets the copy go on, and waits until all that was committed has arrived."""
        self._release_copy()
        if not self.is_running:
            return
        self.system.wait_streaming()
        position = self.source.barrier()
        self.system.wait_position(position)
        # What came may have had a table copied again.
        self.system.wait_streaming()
        if self.oracle:
            if not self.oracle.is_made:
                self.oracle.start(self.pair.source.port)
            self.oracle.wait_position(position)

    def _release_copy(self) -> None:
        if self.is_copy_held:
            self._proxy("source").release()
            self.is_copy_held = False

    def _do_wait_slot(self, step: Step) -> None:
        """Waits until the engine asks for its slot, which open transactions may hold up."""
        query = "SELECT count(*) > 0 FROM pg_replication_slots WHERE slot_name = %s"
        wait_until(
            lambda: self.system.source.value(query, [self.system.slot]), "the slot is being made"
        )

    def _do_hold(self, step: Step) -> None:
        let_pass = int(step.args.get("count", 0))
        self._proxy(step.args["where"]).hold(step.args["pattern"], let_pass)

    def _do_wait_held(self, step: Step) -> None:
        count = int(step.args.get("count", 1))

        def is_held() -> bool:
            if self.cell.engine == "freshet":
                self.system.check_alive()
            return sum(len(proxy.held()) for proxy in self.proxies.values()) >= count

        wait_until(is_held, f"{count} request(s) held", describe=self.system.describe)

    def _do_release(self, step: Step) -> None:
        for proxy in self.proxies.values():
            proxy.release(is_dropped=step.kind == "drop_held")
        self.is_copy_held = False

    _do_drop_held = _do_release

    def _do_kill(self, step: Step) -> None:
        self.system.kill()
        self.is_running = False

    def _do_take_over(self, step: Step) -> None:
        """From here on the second engine is the one."""
        self.system.process, self.system.log = self.second, self.second.log
        self.second = None
        self.is_running = True

    def _do_stop(self, step: Step) -> None:
        code = self.system.stop()
        assert code == 0, f"freshet ended with {code} on SIGTERM\n{self.system.log_text()}"
        self.is_running = False

    def _proxy(self, where: str) -> HoldingProxy:
        if where not in self.proxies:
            server = self.pair.source if where == "source" else self.pair.destination
            self.proxies[where] = HoldingProxy(server.port)
        return self.proxies[where]

    def _do_clock(self, step: Step) -> None:
        """Sets the engine's wall clock off; before its start, so that it runs on that clock."""
        if self.cell.engine != "native":
            self.system.env |= fake_clock(self.directory / "clock", int(step.args["seconds"]))

    # -- the servers --------------------------------------------------------

    def _do_terminate(self, step: Step) -> None:
        for _ in range(int(step.args.get("count", 1))):
            if step.body.strip():
                self._sql(self._session("source", "main"), step.body, step)
            killed = wait_until(
                lambda: self.system.source.value(
                    "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots"
                    " WHERE slot_name = %s AND active",
                    [self.system.slot],
                ),
                "a walsender to terminate",
                describe=self.system.describe,
            )
            assert killed

    def _do_restart_server(self, step: Step) -> None:
        database = self.source if step.args["where"] == "source" else self.target
        database.close()
        self._close_sessions(step.args["where"])
        database.server.restart(step.args.get("mode", "fast"))

    def _do_standby(self, step: Step) -> None:
        """Makes a standby of the source; the engine connects to whichever of them leads."""
        extra = step.args.get("extra")
        self.standby = Standby(
            self.pair.source, has_feedback=extra == "feedback", syncs_slots=extra == "slots"
        )
        self._proxy("source")

    def _do_switch(self, step: Step) -> None:
        """From here on the engine reads from the standby. Promoted, it has lost its primary."""
        written = format_lsn(self.source.barrier())
        wait_until(lambda: self.standby.has_replayed(written), f"the standby has {written}")
        if self.standby.syncs_slots:
            wait_until(lambda: self.standby.has_slot(self.system.slot), "the standby has the slot", seconds=60)
        self.system.source = Database(self.standby, self.name)
        if step.args["how"] == "promote":
            self.standby.stop_helping()
            self._close_sessions("source")
            self.source.close()
            self.pair.source.stop("immediate")
            self.standby.promote()
            self.source = self.system.source
        elif self.pair.version >= 16:
            self.standby.help_slots()
        self._proxy("source").lead_to(self.standby.port)

    def _close_sessions(self, where: str) -> None:
        for key in [key for key in self.sessions if key[0] == where]:
            self.sessions.pop(key).close()
            self.submitted.pop(key, None)

    # -- expectations -------------------------------------------------------

    def _do_always(self, step: Step) -> None:
        if self.is_copy_held:
            return  # while tables are copied a destination may show parts; tables says so
        query = self._filled(step.body)
        self.pollers.append(Poller(self.pair.destination, self.name, query))

    def _do_equal(self, step: Step) -> None:
        self._catch_up()
        for table in self.scenario.tables:
            columns = self.source.columns_of(table)
            wanted = self.source.rows_of(table, columns, table.where)
            told = difference(wanted, self.target.rows_of(table, columns))
            assert not told, f"{table.name}, source against destination: {told}"
        self._compare_with_oracle()

    def _compare_with_oracle(self) -> None:
        if not self.oracle:
            return
        for table in self.scenario.tables:
            columns = self.source.columns_of(table)
            wanted = self.oracle.target.rows_of(table, columns)
            told = difference(wanted, self.target.rows_of(table, columns))
            assert not told, f"{table.name}, native subscription against destination: {told}"

    def _do_rows(self, step: Step) -> None:
        self._catch_up()
        query, _, wanted = step.body.partition("\n---")
        found, wanted = self._rows_as_text(step, query), self._filled(wanted).strip()
        assert found == wanted, f"{query}\nwanted:\n{wanted}\nfound:\n{found}"
        if self.oracle and step.args.get("where", "destination") == "destination":
            rows = self.oracle.target.query(self._filled(query))
            assert _as_text(rows) == found, f"a native subscription has:\n{_as_text(rows)}"

    def _do_eventually(self, step: Step) -> None:
        self._release_copy()
        seconds = float(step.args["seconds"])

        def is_true() -> bool:
            try:
                return self._rows_as_text(step, step.body) == "t"
            except errors.UndefinedTable:
                return False  # not made yet at the destination

        wait_until(is_true, step.body, seconds=seconds, describe=self.system.describe)

    def _do_remember(self, step: Step) -> None:
        self._catch_up()
        self.remembered[step.args["name"]] = self._rows_as_text(step, step.body)

    def _do_remembered(self, step: Step) -> None:
        self._catch_up()
        found, wanted = self._rows_as_text(step, step.body), self.remembered[step.args["name"]]
        assert found == wanted, f"{step.body}\nthen:\n{wanted}\nnow:\n{found}"

    def _rows_as_text(self, step: Step, query: str) -> str:
        where = step.args.get("where", "destination")
        if where == "native" and not self.oracle:
            where = "destination"
        databases = {"source": self.source, "destination": self.target}
        database = self.oracle.target if where == "native" else databases[where]
        return _as_text(database.query(self._filled(query)))

    def _do_exit(self, step: Step) -> None:
        process = self.second if "second" in step.args else self.system.process
        code = process.wait(_EXIT_SECONDS_MAX)
        assert code == int(step.args["code"]), f"exit code {code}\n{process.log_tail()}"
        pattern = step.args.get("pattern", "")
        assert re.search(pattern, process.log_text()), f"no /{pattern}/ in\n{process.log_tail()}"
        if "second" not in step.args:
            self.is_running = False

    def _do_memory(self, step: Step) -> None:
        """Of the engine's present run, at its peak; a subscription has no process of its own."""
        if self.cell.engine == "native" or os.environ.get("FRESHET_TEST_SANITIZED"):
            return  # a sanitizer keeps freed memory
        peak = self.system.process.memory_peak_bytes() >> 20
        limit = int(self._filled(step.args["mebibytes"]))
        assert 0 < peak < limit, f"peak memory {peak} MiB, limit {limit} MiB"

    def _do_log(self, step: Step) -> None:
        if self.cell.engine == "native":
            return

        def is_there() -> bool:
            return bool(re.search(step.args["pattern"], self.system.log_text()))

        if "no" in step.args:
            assert not is_there(), f"/{step.args['pattern']}/ in\n{self.system.log_text()}"
            return
        wait_until(is_there, f"/{step.args['pattern']}/ in the log", describe=self.system.describe)


def _as_text(rows: list[tuple]) -> str:
    """Prints rows as psql -At does, with NULL for null."""
    def word(value: object) -> str:
        if value is None:
            return "NULL"
        return {True: "t", False: "f"}[value] if isinstance(value, bool) else str(value)

    return "\n".join("|".join(word(value) for value in row) for row in rows)

