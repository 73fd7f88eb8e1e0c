// Asks the local Kusto endpoint with the official Node client and prints what it reads, one JSON
// line a step.
import { Client, KustoConnectionStringBuilder, ClientRequestProperties } from "azure-kusto-data";

const [endpoint, database] = process.argv.slice(2);
const client = new Client(new KustoConnectionStringBuilder(endpoint));

function show(step, rows) {
  console.log(JSON.stringify({ step, rows }));
}

function rowsOf(results) {
  return results.primaryResults[0].toJSON().data;
}

await client.executeMgmt(database, ".create table Node (At: datetime, Value: real)");
await client.executeMgmt(database, ".ingest inline into table Node <| 2026-11-01T00:00:00Z,1.5");
const everyType =
  'print b=true, d=datetime(2026-11-01T01:02:03.456Z), m=decimal(1.25), o=dynamic({"a":[1,null]}), ' +
  "g=guid(3827def6-0773-4f2a-859e-c02cf395deaf), i=int(7), l=5, r=1.5, s='ä', t=time(1.02:03:04)";
show("types", rowsOf(await client.executeQuery(database, everyType)));

const properties = new ClientRequestProperties();
properties.setParameter("least", 1.0);
const text = "declare query_parameters(least:real); Node | where Value > least | project Value";
show("parameters", rowsOf(await client.executeQuery(database, text, properties)));

const submitted = rowsOf(
  await client.executeMgmt(database, ".set-or-append async NodeCopy <| Node | project Value"),
);
let state = "InProgress";
while (state === "InProgress") {
  const polled = await client.executeMgmt(
    database,
    `.show operations (${submitted[0].OperationId}) | project State`,
  );
  state = rowsOf(polled)[0].State;
}
show("append", [{ State: state }]);

try {
  await client.executeQuery(database, "Nope | count");
} catch (error) {
  const body = error.response?.data?.error ?? {};
  show("error", [{ message: body["@message"] ?? String(error) }]);
}
