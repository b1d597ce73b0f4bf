package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// A form is a way to ask for pods; each is measured at all servers.
type form struct {
	row    string
	path   string
	accept string
	gzip   bool
	watch  bool // Ends with the bookmark behind the initial events.
	paged  bool // Follows `continue` to the end.
	atAPI  int  // Requests a block, with 50,000 pods: enough for a tenth of a second of CPU.
	atWeir int
	blocks int // A round; each is a value, servers taking turns. More for what takes little.
}

const (
	protobufType = "application/vnd.kubernetes.protobuf"
	metadataType = protobufType + ";as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	watchList    = "/api/v1/pods?watch=1&allowWatchBookmarks=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&resourceVersion=0&timeoutSeconds=60"
	oneNode      = podsFromCache + "&fieldSelector=spec.nodeName%3Dnode-00007"
	oneLabel     = podsFromCache + "&labelSelector=app%3Dapp-1"

	rowGzipCold   = "LIST, JSON, gzip, the first after the start: CPU ms"
	rowGzipWarm   = "LIST, JSON, gzip: CPU ms"
	rowMetadata   = "LIST, PartialObjectMetadata, protobuf: CPU ms"
	rowPages      = "LIST, JSON, by pages of 500: CPU ms"
	rowWatchList  = "WatchList, JSON: CPU ms"
	rowWatchProto = "WatchList, protobuf: CPU ms"
	rowWatchGzip  = "WatchList, protobuf, gzip: CPU ms"
	rowNode       = "LIST of one node's 50 pods, JSON: CPU ms"
	rowLabel      = "LIST by a configured label index, 500 pods, JSON: CPU ms"
)

var forms = []form{
	{row: rowGzipWarm, path: podsFromCache, accept: "application/json", gzip: true, atAPI: 1, atWeir: 10, blocks: 1},
	{row: "LIST, protobuf, gzip: CPU ms", path: podsFromCache, accept: protobufType, gzip: true, atAPI: 1, atWeir: 10, blocks: 1},
	{row: rowMetadata, path: podsFromCache, accept: metadataType, atAPI: 2, atWeir: 10, blocks: 3},
	{row: rowPages, path: "/api/v1/pods?limit=500", accept: "application/json", paged: true, atAPI: 1, atWeir: 3, blocks: 1},
	{row: rowWatchList, path: watchList, accept: "application/json", watch: true, atAPI: 1, atWeir: 5, blocks: 1},
	{row: rowWatchProto, path: watchList, accept: protobufType, watch: true, atAPI: 1, atWeir: 10, blocks: 1},
	{row: rowWatchGzip, path: watchList, accept: protobufType, gzip: true, watch: true, atAPI: 1, atWeir: 10, blocks: 1},
	{row: rowNode, path: oneNode, accept: "application/json", atAPI: 40, atWeir: 200, blocks: 5},
	{row: "LIST of one node's 50 pods, protobuf: CPU ms", path: oneNode, accept: protobufType, atAPI: 40, atWeir: 200, blocks: 5},
	{row: rowLabel, path: oneLabel, accept: "application/json", atAPI: 5, atWeir: 50, blocks: 3},
}

// bodyOf asks in the form and returns how many bytes the body has before compression; of pages, how many pods they have
// together.
func (f form) bodyOf(t *target) (int64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	total := int64(0)
	for next := f.path; ; {
		size, token, err := f.page(ctx, t, next)
		if total += size; err != nil || token == "" {
			return total, err
		}
		next = f.path + "&continue=" + url.QueryEscape(token)
	}
}

var continueKey = []byte(`"continue":"`)

func (f form) page(ctx context.Context, t *target, path string) (size int64, token string, err error) {
	response, err := f.open(ctx, t, path)
	if err != nil {
		return 0, "", err
	}
	defer response.Body.Close()
	body := io.Reader(response.Body)
	if f.gzip {
		if body, err = gzip.NewReader(response.Body); err != nil {
			return 0, "", err
		}
	}
	switch {
	case f.watch:
		size, err = readInitialEvents(body)
	case f.paged:
		var text []byte
		text, err = io.ReadAll(body)
		if _, rest, found := bytes.Cut(text[:min(len(text), 4096)], continueKey); found { // Before the items.
			rest, _, _ = bytes.Cut(rest, []byte{'"'})
			token = string(rest)
		}
		size = int64(bytes.Count(text, []byte(`"`+timeKey+`":"`)))
	default:
		size, err = io.CopyBuffer(struct{ io.Writer }{io.Discard}, body, make([]byte, 256<<10))
	}
	return size, token, err
}

// open asks and fails unless the answer is compressed just as wanted.
func (f form) open(ctx context.Context, t *target, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url+path, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+t.user.Token)
	request.Header.Set("Accept", f.accept)
	request.Header.Set("User-Agent", "weir-compare")
	if f.gzip {
		request.Header.Set("Accept-Encoding", "gzip")
	}
	response, err := t.client.Do(request)
	if err != nil {
		return nil, err
	}
	if response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s: %s", t.name, f.row, response.Status)
	} else if got := response.Header.Get("Content-Encoding") == "gzip"; got != f.gzip {
		err = fmt.Errorf("%s: %s: compressed %v", t.name, f.row, got)
	}
	if err != nil {
		response.Body.Close()
		return nil, err
	}
	return response, nil
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

// formsRound measures each form at all servers, one after the other, over HTTP/2 as client-go speaks it.
func (l *lab) formsRound(r *rows) error {
	servers, err := each(l.servers(), "h2")
	if err != nil {
		return err
	}
	defer closeAll(servers)
	for _, f := range forms {
		if err := l.measureForm(r, f, servers); err != nil {
			return err
		}
	}
	return nil
}

func (l *lab) measureForm(r *rows, f form, servers []*target) error {
	want := int64(0)
	for _, t := range servers {
		size, err := f.bodyOf(t) // Starts the feed, touches all memory.
		if err != nil {
			return err
		}
		if want == 0 {
			want = size
		}
		// The bookmark that ends a WatchList is the shortest possible at Weir.
		if size != want && !(f.watch && max(size-want, want-size) < 4096) {
			return fmt.Errorf("%s: %s: %d where another server's answer has %d", t.name, f.row, size, want)
		}
	}
	for range f.blocks {
		for _, t := range servers {
			runs := l.repeatedAt(t, f.atAPI, f.atWeir)
			used, err := spent(t.pid(), func() error {
				for range runs {
					size, err := f.bodyOf(t)
					if err == nil && size < want-4096 {
						err = fmt.Errorf("%s: %s: %d of %d bytes", t.name, f.row, size, want)
					}
					if err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				return err
			}
			r.add(f.row, t.name, used*1000/float64(runs))
		}
	}
	return nil
}
