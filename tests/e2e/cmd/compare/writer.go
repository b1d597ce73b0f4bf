package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	clientv3 "go.etcd.io/etcd/client/v3"
	"golang.org/x/sync/errgroup"
)

// Writes go straight into etcd, so that every watcher gets one event and neither server has the work of a write.

const (
	writersInParallel = 4 // Each object belongs to one of them.
	writeTimeout      = 10 * time.Second
)

// openEtcd speaks gRPC: the HTTP gateway costs several times as much, and the servers run on the same cores.
func openEtcd(url string) (*clientv3.Client, error) {
	return clientv3.New(clientv3.Config{Endpoints: []string{url}, DialTimeout: writeTimeout})
}

var errSlowWriter = errors.New("etcd takes no more changes")

func podKey(i int) string { return "/registry/pods/" + podNamespace(i) + "/" + podName(i) }

// learn reads what etcd holds under the keys of the first `count` objects, which touch then changes.
func (l *lab) learn(key func(i int) string, count int) error {
	for i := range count {
		if l.stored[key(i)] != nil {
			continue
		}
		value, err := l.cluster.EtcdGet(key(i))
		if err != nil {
			return err
		}
		l.stored[key(i)] = value
	}
	return nil
}

// touch changes one object that has been learnt: in the stored form only the digits of the time are replaced.
func (l *lab) touch(key string) error {
	value := l.stored[key]
	at := bytes.Index(value, []byte(timeKey))
	if at < 0 {
		return fmt.Errorf("%s: no annotation %s", key, timeKey)
	}
	now := fmt.Appendf(nil, "%d", time.Now().UnixNano())
	// Protobuf: the key, a tag, a length, the value.
	if at += len(timeKey) + 2; at+len(now) > len(value) || int(value[at-1]) != len(now) {
		return fmt.Errorf("%s: another form than expected", key)
	}
	copy(value[at:], now)
	ctx, cancel := context.WithTimeout(context.Background(), writeTimeout)
	defer cancel()
	_, err := l.etcd.Put(ctx, key, string(value))
	return err
}

const touchedObjects = 200

// write makes rate × seconds changes, evenly, and returns how many; it fails if etcd takes much longer than that.
func (l *lab) write(key func(i int) string, rate, seconds float64) (int, error) {
	if err := l.learn(key, touchedObjects); err != nil {
		return 0, err
	}
	count := int(rate * seconds)
	first := l.writes
	l.writes += count
	start := time.Now()
	var group errgroup.Group
	for part := range writersInParallel {
		group.Go(func() error {
			for i := range count {
				object := (first + i) % touchedObjects
				if object%writersInParallel != part {
					continue
				}
				time.Sleep(time.Until(start.Add(time.Duration(float64(i) / rate * float64(time.Second)))))
				if err := l.touch(key(object)); err != nil {
					return fmt.Errorf("write %d: %w", i, err)
				}
			}
			return nil
		})
	}
	err := group.Wait()
	if took := time.Since(start).Seconds(); err == nil && took > seconds*1.1+0.5 {
		err = fmt.Errorf("%w: %d in %.1f s", errSlowWriter, count, took)
	}
	return count, err
}
