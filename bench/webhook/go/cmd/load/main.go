// Command load asks a webhook as fast as it answers, over connections that are kept, and prints what
// it saw as one JSON object. Bodies are the lines of a file, in turn; a connection that the server
// closes is a failure unless the answer said so.
package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

type result struct {
	Requests int     `json:"requests"`
	Failures int     `json:"failures"`
	Reopened int     `json:"reopened"`
	Seconds  float64 `json:"seconds"`
	Rate     float64 `json:"rps"`
	P50      float64 `json:"p50_us"`
	P99      float64 `json:"p99_us"`
	Error    string  `json:"error,omitempty"`
}

type connection struct {
	tls    *tls.Conn
	reader *bufio.Reader
}

func main() {
	address := flag.String("address", "127.0.0.1:9443", "the server")
	name := flag.String("name", "summaryrule-operator-webhook.summaryrule-system.svc", "its host name")
	path := flag.String("path", "/validate", "what to ask")
	bodies := flag.String("bodies", "reviews.jsonl", "one review a line")
	connections := flag.Int("c", 8, "connections")
	seconds := flag.Float64("seconds", 3, "for how long")
	count := flag.Int64("count", 1<<62, "or until so many requests")
	flag.Parse()
	requests, err := read(*bodies, *path, *name)
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(2)
	}
	deadline := time.Now().Add(time.Duration(*seconds * float64(time.Second)))
	print(run(*address, *name, requests, *connections, deadline, *count))
}

func read(file, path, name string) ([][]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var requests [][]byte
	for _, body := range bytes.Split(bytes.TrimSpace(text), []byte("\n")) {
		head := fmt.Sprintf("POST %s?timeout=5s HTTP/1.1\r\nHost: %s:443\r\nUser-Agent: kube-apiserver-admission\r\n"+
			"Content-Length: %d\r\nAccept: application/json, */*\r\nContent-Type: application/json\r\nAccept-Encoding: gzip\r\n\r\n",
			path, name, len(body)+1)
		requests = append(requests, slices.Concat([]byte(head), body, []byte("\n")))
	}
	return requests, nil
}

func run(address, name string, requests [][]byte, connections int, deadline time.Time, count int64) result {
	var group sync.WaitGroup
	var left atomic.Int64
	left.Store(count)
	latencies := make([][]float64, connections)
	total := make([]result, connections)
	began := time.Now()
	for index := range connections {
		group.Go(func() {
			latencies[index], total[index] = ask(address, name, requests, index, deadline, &left)
		})
	}
	group.Wait()
	sum := result{Seconds: time.Since(began).Seconds()}
	for _, each := range total {
		sum.Failures += each.Failures
		sum.Reopened += each.Reopened
		sum.Error += each.Error
	}
	all := slices.Concat(latencies...)
	slices.Sort(all)
	sum.Requests = len(all)
	sum.Rate = float64(len(all)) / sum.Seconds
	if len(all) > 0 {
		sum.P50, sum.P99 = all[len(all)/2], all[len(all)*99/100]
	}
	return sum
}

func ask(address, name string, requests [][]byte, first int, deadline time.Time, left *atomic.Int64) (latencies []float64, seen result) {
	var open *connection
	for at := first; time.Now().Before(deadline) && left.Add(-1) >= 0; at++ {
		began := time.Now()
		if open == nil {
			dialled, err := dial(address, name)
			if err != nil {
				seen.Failures++
				seen.Error = err.Error()
				time.Sleep(10 * time.Millisecond)
				continue
			}
			open = dialled
			seen.Reopened++
		}
		mustClose, err := open.exchange(requests[at%len(requests)])
		if err != nil {
			seen.Failures++
			seen.Error = err.Error()
		} else {
			latencies = append(latencies, float64(time.Since(began).Nanoseconds())/1000)
		}
		if err != nil || mustClose {
			_ = open.tls.Close()
			open = nil
		}
	}
	return latencies, seen
}

func dial(address, name string) (*connection, error) {
	// The benchmark makes its own certificates; the tests of rotation verify.
	dialled, err := tls.Dial("tcp", address, &tls.Config{ServerName: name, InsecureSkipVerify: true})
	if err != nil {
		return nil, err
	}
	return &connection{dialled, bufio.NewReaderSize(dialled, 16<<10)}, nil
}

func (c *connection) exchange(request []byte) (mustClose bool, err error) {
	if _, err := c.tls.Write(request); err != nil {
		return false, err
	}
	line, err := c.reader.ReadString('\n')
	if err != nil {
		return false, err
	}
	if !strings.HasPrefix(line, "HTTP/1.1 200") {
		return false, fmt.Errorf("answered %q", strings.TrimSpace(line))
	}
	length := -1
	for {
		header, err := c.reader.ReadSlice('\n')
		if err != nil {
			return false, err
		}
		name, value, found := bytes.Cut(bytes.TrimSpace(header), []byte(":"))
		if !found {
			break
		}
		switch strings.ToLower(string(name)) {
		case "content-length":
			length, err = strconv.Atoi(string(bytes.TrimSpace(value)))
			if err != nil {
				return false, err
			}
		case "connection":
			mustClose = bytes.EqualFold(bytes.TrimSpace(value), []byte("close"))
		}
	}
	if length < 0 {
		return false, fmt.Errorf("an answer without Content-Length")
	}
	_, err = io.CopyN(io.Discard, c.reader, int64(length))
	return mustClose, err
}

func print(seen result) {
	_ = json.NewEncoder(os.Stdout).Encode(seen)
}
