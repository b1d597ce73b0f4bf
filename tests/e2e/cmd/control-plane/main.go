// kube-apiserver, kube-controller-manager and kube-scheduler as upstream ships them, in one program, since they share
// nearly all of their code: one link instead of three. The first argument says which of them to be.
package main

import (
	"fmt"
	"os"
	_ "time/tzdata" // Time zones of CronJobs.

	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	manager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
)

// Only the one that runs is made: each registers its feature gates with the process.
var programs = map[string]func() int{
	"kube-apiserver":          func() int { return cli.Run(apiserver.NewAPIServerCommand()) },
	"kube-controller-manager": func() int { return cli.Run(manager.NewControllerManagerCommand()) },
	"kube-scheduler":          func() int { return cli.Run(scheduler.NewSchedulerCommand()) },
}

func main() {
	if len(os.Args) > 1 {
		if run, ok := programs[os.Args[1]]; ok {
			os.Args = os.Args[1:] // As if it had been started by its own name.
			os.Exit(run())
		}
	}
	fmt.Fprintln(os.Stderr, "usage: control-plane kube-apiserver|kube-controller-manager|kube-scheduler [FLAG…]")
	os.Exit(2)
}
