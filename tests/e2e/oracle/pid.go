package oracle

// APIServerPid is the process id of the running API server, for measurements.
func (c *Cluster) APIServerPid() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.api.process.Pid()
}
