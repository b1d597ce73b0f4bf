package oracle

import (
	"encoding/base64"
	"fmt"
)

// APIServerPid is the process id of the running API server, for measurements.
func (c *Cluster) APIServerPid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.api.process.Pid()
}

// EtcdGet reads a key straight from etcd: "/registry/pods/NAMESPACE/NAME".
func (c *Cluster) EtcdGet(key string) ([]byte, error) {
	var answer struct {
		Kvs []struct {
			Value string `json:"value"`
		} `json:"kvs"`
	}
	if err := c.etcdCall("/v3/kv/range", map[string]any{"key": []byte(key)}, &answer); err != nil {
		return nil, err
	}
	if len(answer.Kvs) != 1 {
		return nil, fmt.Errorf("etcd: no key %s", key)
	}
	return base64.StdEncoding.DecodeString(answer.Kvs[0].Value)
}

// EtcdPut writes a key straight into etcd. The API server sees the change as it sees one of another API server.
func (c *Cluster) EtcdPut(key string, value []byte) error {
	return c.etcdCall("/v3/kv/put", map[string]any{"key": []byte(key), "value": value}, nil)
}

// EtcdURL is where etcd serves its clients, for programs that write more than these calls manage.
func (c *Cluster) EtcdURL() string { return c.etcdURL }
