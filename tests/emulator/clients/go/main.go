// Command endpoint-probe asks the local Kusto endpoint with the official Go client and prints what
// it reads, one JSON line a step.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/Azure/azure-kusto-go/azkustodata"
	"github.com/Azure/azure-kusto-go/azkustodata/kql"
	"github.com/Azure/azure-kusto-go/azkustodata/query"
)

func check(step string, err error) {
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", step, err)
		os.Exit(1)
	}
}

func show(step string, rows [][]string) {
	line, err := json.Marshal(map[string]any{"step": step, "rows": rows})
	check(step, err)
	fmt.Println(string(line))
}

func texts(row query.Row) []string {
	var found []string
	for _, one := range row.Values() {
		found = append(found, one.String())
	}
	return found
}

func rowsOf(set query.Dataset) [][]string {
	found := [][]string{}
	for _, row := range set.Tables()[0].Rows() {
		found = append(found, texts(row))
	}
	return found
}

func main() {
	endpoint, database := os.Args[1], os.Args[2]
	client, err := azkustodata.New(azkustodata.NewConnectionStringBuilder(endpoint))
	check("connect", err)
	defer client.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()

	manage := func(step, text string) query.Dataset {
		set, err := client.Mgmt(ctx, database, (&kql.Builder{}).AddUnsafe(text))
		check(step, err)
		return set
	}
	manage("create", ".create table Go (At: datetime, Value: real)")
	manage("ingest", ".ingest inline into table Go <| 2026-11-01T00:00:00Z,1.5\n2026-11-01T00:01:00Z,2.5")

	everyType := "print b=true, d=datetime(2026-11-01T01:02:03.4567891Z), m=decimal(1.25), " +
		"o=dynamic({\"a\":[1,null]}), g=guid(3827def6-0773-4f2a-859e-c02cf395deaf), i=int(7), " +
		"l=9007199254740993, r=1.5, s='ä', t=time(1.02:03:04), n=long(null)"
	set, err := client.Query(ctx, database, (&kql.Builder{}).AddUnsafe(everyType))
	check("types", err)
	show("types", rowsOf(set))

	parameters := kql.NewParameters().AddReal("least", 2).AddString("text", "it's")
	set, err = client.Query(ctx, database,
		kql.New("Go | where Value > least | project Value, text"),
		azkustodata.QueryParameters(parameters))
	check("parameters", err)
	show("parameters", rowsOf(set))

	rows := [][]string{}
	many, err := client.IterativeQuery(ctx, database, kql.New("range i from 1 to 5000 step 1"))
	check("iterative", err)
	for result := range many.Tables() {
		check("iterative table", result.Err())
		for row := range result.Table().Rows() {
			check("iterative row", row.Err())
			if row.Row().Index() == 4999 {
				rows = append(rows, texts(row.Row()))
			}
		}
	}
	show("iterative", rows)

	text, err := client.QueryToJson(ctx, database, kql.New("Go | count"))
	check("json", err)
	show("json", [][]string{{fmt.Sprint(len(text) > 0)}})

	operation := manage("append", ".set-or-append async Copy <| Go | project Value")
	id := operation.Tables()[0].Rows()[0].Values()[0]
	state := ""
	for state == "" || state == "InProgress" {
		records := manage("poll", fmt.Sprintf(".show operations (%s) | project State", id))
		state = records.Tables()[0].Rows()[0].Values()[0].String()
		time.Sleep(10 * time.Millisecond)
	}
	show("append", [][]string{{state}})

	_, err = client.Query(ctx, database, kql.New("Nope | count"))
	if err == nil {
		check("error", fmt.Errorf("no error"))
	}
	show("error", [][]string{{err.Error()}})
}
