package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"time"
)

// A form is a way to ask for pods; each is measured at both servers.
type form struct {
	name   string
	path   string
	accept string
	gzip   bool
	watch  bool // Ends with the bookmark behind the initial events.
	apiRun int  // Requests per round: enough for a tenth of a second of CPU.
}

const (
	protobufType = "application/vnd.kubernetes.protobuf"
	metadataType = protobufType + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	watchList    = "/api/v1/pods?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0&timeoutSeconds=60"
	oneNode      = podsFromCache + "&fieldSelector=spec.nodeName%3Dnode-00007"
)

var forms = []form{
	{name: "LIST, protobuf", path: podsFromCache, accept: protobufType, apiRun: 3},
	{name: "LIST, JSON, gzip", path: podsFromCache, accept: "application/json", gzip: true, apiRun: 2},
	{name: "LIST, protobuf, gzip", path: podsFromCache, accept: protobufType, gzip: true, apiRun: 2},
	{name: "LIST, PartialObjectMetadata, protobuf", path: podsFromCache, accept: metadataType, apiRun: 3},
	{name: "WatchList, JSON", path: watchList, accept: "application/json", watch: true, apiRun: 1},
	{name: "WatchList, protobuf", path: watchList, accept: protobufType, watch: true, apiRun: 2},
	{name: "WatchList, protobuf, gzip", path: watchList, accept: protobufType, gzip: true, watch: true, apiRun: 2},
	{name: "LIST of one node's pods, JSON", path: oneNode, accept: "application/json", apiRun: 200},
	{name: "LIST of one node's pods, protobuf", path: oneNode, accept: protobufType, apiRun: 200},
}

func (f form) row() string { return f.name + ": CPU ms" }

// bodyOf asks in the form and returns how many bytes the body has before compression.
func (f form) bodyOf(t *target) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+f.path, nil)
	if err != nil {
		return 0, err
	}
	request.Header.Set("Authorization", "Bearer "+t.token)
	request.Header.Set("Accept", f.accept)
	request.Header.Set("User-Agent", "weir-compare")
	if f.gzip {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := t.client.Do(request)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return 0, fmt.Errorf("%s: %s: %s", t.name, f.name, response.Status)
	}
	if got := response.Header.Get("Content-Encoding") == "gzip"; got != f.gzip {
		return 0, fmt.Errorf("%s: %s: compressed %v", t.name, f.name, got)
	}
	body := io.Reader(response.Body)
	if f.gzip {
		if body, err = gzip.NewReader(response.Body); err != nil {
			return 0, err
		}
	}
	if !f.watch {
		return io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 256<<10))
	}
	return readInitialEvents(body)
}

// readInitialEvents reads up to the bookmark that ends them.
func readInitialEvents(body io.Reader) (int64, error) {
	mark := []byte("k8s.io/initial-events-end")
	buffer := make([]byte, 256<<10)
	kept, total := 0, int64(0)
	for {
		n, err := body.Read(buffer[kept:])
		total += int64(n)
		if bytes.Contains(buffer[:kept+n], mark) {
			return total, nil
		}
		if err != nil {
			return total, err
		}
		tail := min(kept+n, len(mark)-1)
		copy(buffer, buffer[kept+n-tail:kept+n])
		kept = tail
	}
}

// formsRound measures each form at both servers, one after the other.
func (l *lab) formsRound(r *rows) error {
	for _, f := range forms {
		for _, t := range []*target{l.weir, l.api} {
			runs := f.apiRun
			if t == l.weir {
				runs *= 5
			}
			if _, err := f.bodyOf(t); err != nil { // Starts the feed, touches all memory.
				return err
			}
			used, err := spent(t.pid(), func() error {
				for range runs {
					if _, err := f.bodyOf(t); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			r.add(f.row(), t.name, used*1000/float64(runs))
		}
	}
	return nil
}
