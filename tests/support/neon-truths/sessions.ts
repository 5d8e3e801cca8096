import { setTimeout as sleep } from "node:timers/promises";
import { startNeonGateway } from "../neon-gateway.ts";
import { sharedPostgres } from "../shared-postgres.ts";
import { CANCELLED, hangUp, inTurn, no, query, send, superuser, type Truth, value } from "./stage.ts";

/* What a connection keeps between two requests over HTTP, and what becomes of a request whose caller hangs up. */

export const SESSION: readonly Truth[] = [
  {
    id: "H1",
    request: "set_config('app.kept', 'yes', false), then current_setting('app.kept', true)",
    real: "",
    ask: async () => {
      await value("select set_config('app.kept', 'yes', false)");
      return (await send(query("select current_setting('app.kept', true)"))).json.rows[0][0];
    },
  },
  {
    id: "H1",
    request: "prepare one as select 1, then execute one",
    real: [400, 'prepared statement "one" does not exist', "26000"],
    ask: async () => {
      await send(query("prepare one as select 1"));
      return no(query("execute one"));
    },
  },
  {
    id: "H1",
    request: "create temp table, then to_regclass of it",
    real: null,
    ask: async () => {
      await send(query("create temp table passing (n int)"));
      return (await send(query("select to_regclass('passing')::text"))).json.rows[0][0];
    },
  },
  {
    id: "H1",
    request: "nextval, then currval",
    real: "55000",
    ask: async () => {
      await send(query("create sequence counted"));
      await send(query("select nextval('counted')"));
      return value("select currval('counted')");
    },
  },
  {
    id: "H1",
    request: "set statement_timeout = '5s', then show",
    real: "0",
    ask: async () => {
      await send(query("set statement_timeout = '5s'"));
      return value("show statement_timeout");
    },
  },
  {
    id: "H1",
    request: "pg_advisory_lock(7), then pg_locks",
    real: "0",
    ask: async () => {
      await send(query("select pg_advisory_lock(7)"));
      return value("select count(*)::text from pg_locks where locktype = 'advisory'");
    },
  },
  {
    id: "H1",
    request: "begin alone, then the transaction of the next request",
    real: "t",
    ask: async () => {
      await send(query("create table begun (n int)"));
      await send(query("begin"));
      await send(query("insert into begun values (1)"));
      const { rows } = await superuser.query("select (count(*) = 1)::text as kept from begun");
      return String(rows[0]?.kept).slice(0, 1);
    },
  },
  {
    id: "H2",
    request:
      "with the proxy's default flags: how many connections two requests use, and two that ask for the pool; then " +
      "a custom setting",
    real: [2, 1, null],
    ask: async () => {
      const door = await startNeonGateway((await sharedPostgres()).url, { poolOptIn: true });
      const pids = (headers = {}) => inTurn(2, () => value("select pg_backend_pid()::text", [], { door, headers }));
      const unasked = new Set(await pids()).size;
      const asked = new Set(await pids({ "Neon-Pool-Opt-In": "true" })).size;
      await value("select set_config('app.one', 'yes', false)", [], { door });
      const setting = await value("select current_setting('app.one', true)", [], { door });
      await door.stop();
      return [unasked, asked, setting];
    },
  },
  {
    id: "H3",
    request: "pid before and after a statement that fails; before and after a batch that fails",
    real: [false, true],
    ask: async () => {
      const pid = () => value("select pg_backend_pid()::text");
      const first = await pid();
      await send(query("select 1/0"));
      const second = await pid();
      await send({ queries: [query("select 1/0")] });
      return [first === second, second === (await pid())];
    },
  },
  {
    id: "H4",
    request: "60 requests at once; idle connections then, counted by one of them",
    real: 19,
    ask: async () => {
      await Promise.all(Array.from({ length: 60 }, () => send(query("select pg_sleep(0.3)"))));
      const others =
        "select count(*)::int::text from pg_stat_activity where usename = 'member' and pid <> pg_backend_pid()";
      for (const until = Date.now() + 5_000; Date.now() < until && (await value(others)) !== "19"; ) await sleep(20);
      return Number(await value(others));
    },
  },
  {
    id: "H5",
    request: "hang up during a batch: insert, pg_sleep(30)",
    real: CANCELLED,
    ask: () =>
      hangUp("cut_after", { queries: [query("insert into cut_after values (1)"), query("select pg_sleep(30)")] }),
  },
  {
    id: "H5",
    request: "hang up during a batch: pg_sleep(30), insert",
    real: CANCELLED,
    ask: () =>
      hangUp("cut_before", { queries: [query("select pg_sleep(30)"), query("insert into cut_before values (1)")] }),
  },
  {
    id: "H5",
    request: "hang up during one statement: insert from pg_sleep(30)",
    real: CANCELLED,
    ask: () => hangUp("cut_single", query("insert into cut_single select 1 from pg_sleep(30)")),
  },
];
