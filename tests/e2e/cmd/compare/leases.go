package main

import (
	"fmt"
	"strings"
	"time"
)

// Leases are the small objects that change most in a cluster.

const leaseNamespace = "bench-0"

func leaseName(i int) string { return fmt.Sprintf("lease-%05d", i) }
func leaseKey(i int) string  { return "/registry/leases/" + leaseNamespace + "/" + leaseName(i) }

// createLeases makes those that are touched, of about 0.9 KB in protobuf.
func createLeases(api *target) error {
	for i := range touchedObjects {
		_, err := api.post("/apis/coordination.k8s.io/v1/namespaces/"+leaseNamespace+"/leases", object{
			"apiVersion": "coordination.k8s.io/v1", "kind": "Lease",
			"metadata": object{"name": leaseName(i), "namespace": leaseNamespace, "annotations": object{
				timeKey: fmt.Sprint(time.Now().UnixNano()), fillAnnotated: strings.Repeat("x", 350)}},
			"spec": object{"holderIdentity": leaseName(i), "leaseDurationSeconds": 40, "renewTime": "2026-01-01T00:00:00.000000Z"},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
