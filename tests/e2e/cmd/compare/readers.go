package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"golang.org/x/sync/errgroup"

	"weir.dev/e2e/measure"
)

const (
	rowSixteen    = "sixteen LISTs of all pods at once, JSON, HTTP/2: CPU s"
	rowSixteenMem = "sixteen LISTs at once: resident MB added at most"
	rowFirstByte  = "LIST of all pods, JSON, HTTP/2: ms to the first byte of the body, p50"
)

var wholeJSON = form{row: rowSixteen, path: podsFromCache, accept: "application/json"}

// sixteenRound lets sixteen clients, a connection each, list all pods at the same time.
func (l *lab) sixteenRound(r *rows) error {
	const clients = 16
	for _, t := range l.servers() {
		if _, err := wholeJSON.bodyOf(t); err != nil { // Touches all memory.
			return err
		}
		readers := make([]*target, clients)
		for i := range readers {
			var err error
			if readers[i], err = t.over("h2"); err != nil {
				return err
			}
			if _, err := readers[i].drain(podPath(i)); err != nil { // Connects.
				return err
			}
		}
		time.Sleep(time.Second)
		before, err := measure.Resident(t.pid())
		if err != nil {
			return err
		}
		if err := measure.ForgetPeak(t.pid()); err != nil {
			return err
		}
		used, err := spent(t.pid(), func() error { return atOnce(readers, l.listBytes) })
		closeAll(readers)
		if err != nil {
			return err
		}
		peak, err := measure.Peak(t.pid())
		if err != nil {
			return err
		}
		r.add(rowSixteen, t.name, used)
		r.add(rowSixteenMem, t.name, max(0, peak-before)/1e6)
	}
	return nil
}

func atOnce(readers []*target, want int64) error {
	var group errgroup.Group
	for _, t := range readers {
		group.Go(func() error {
			got, err := wholeJSON.bodyOf(t)
			if err == nil && got != want {
				err = fmt.Errorf("%s: %d of %d bytes", t.name, got, want)
			}
			return err
		})
	}
	return group.Wait()
}

// firstByteRound times the beginning of LISTs, each on a connection that is open and otherwise idle, and reads the rest.
func (l *lab) firstByteRound(r *rows) error {
	lists := l.repeated(5)
	servers, err := each(l.servers(), "h2")
	if err != nil {
		return err
	}
	defer closeAll(servers)
	for _, t := range servers {
		var took []float64
		for i := range lists + 1 {
			if _, err := t.drain(podPath(i)); err != nil { // Connects, and lets the last LIST's garbage go.
				return err
			}
			time.Sleep(20 * time.Millisecond)
			one, err := firstByte(t, l.listBytes)
			if err != nil {
				return err
			}
			if i > 0 {
				took = append(took, one*1e3)
			}
		}
		r.add(rowFirstByte, t.name, percentile(took, 0.5))
	}
	return nil
}

func firstByte(t *target, want int64) (seconds float64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	start := time.Now()
	response, err := wholeJSON.open(ctx, t, wholeJSON.path)
	if err != nil {
		return 0, err
	}
	defer response.Body.Close()
	first := make([]byte, 1)
	if _, err := io.ReadFull(response.Body, first); err != nil {
		return 0, err
	}
	seconds = time.Since(start).Seconds()
	rest, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, response.Body, make([]byte, 256<<10))
	if err == nil && rest+1 != want {
		err = fmt.Errorf("%s: %d of %d bytes", t.name, rest+1, want)
	}
	return seconds, err
}
