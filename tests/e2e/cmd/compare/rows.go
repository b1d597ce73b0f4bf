package main

// rows collects each quantity's values by server, in the order in which they first came.
type rows struct {
	names  []string
	values map[string]map[string][]float64
	notes  []string // Rounds of a row that have no value, and why.
}

func (r *rows) add(name, server string, value float64) {
	if r.values == nil {
		r.values = map[string]map[string][]float64{}
	}
	if r.values[name] == nil {
		r.values[name] = map[string][]float64{}
		r.names = append(r.names, name)
	}
	r.values[name][server] = append(r.values[name][server], value)
}

const serverAPI, serverWeir, serverRootfs, serverPlain = "kube-apiserver", "weir", "weir-rootfs", "plain"
