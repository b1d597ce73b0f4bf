// Reads the output of `go test -json` on stdin and prints what a person wants to see: each top-level test as it ends,
// the output of those that fail or are skipped, and last one line, "N passed, N failed", with ", N skipped" behind it
// if there are any. Exits with 1 if anything failed. Tests of several packages may have the same names.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"strings"
)

type event struct {
	Action, Package, Test, Output string
	Elapsed                       float64
}

func main() {
	lines := bufio.NewReaderSize(os.Stdin, 1<<20)
	output := map[string][]string{}
	counts := map[string]int{}
	failed := map[string]bool{} // Packages of which a test has failed.
	for {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Print(line) // Of the build, or of a crash.
			continue
		}
		test := e.Package + " " + e.Test
		switch e.Action {
		case "output", "build-output":
			if e.Test == "" {
				fmt.Print(e.Output)
			} else {
				output[test] = append(output[test], e.Output)
			}
		case "pass", "fail", "skip":
			if e.Test == "" {
				if e.Action == "fail" && !failed[e.Package] {
					counts["fail"]++ // It did not build, or something outside of a test failed.
				}
				continue
			}
			counts[e.Action]++
			failed[e.Package] = failed[e.Package] || e.Action == "fail"
			if e.Action != "pass" {
				fmt.Print(strings.Join(output[test], ""))
			}
			if e.Action != "fail" && !strings.Contains(e.Test, "/") {
				fmt.Printf("%s %s (%.0f s)\n", e.Action, e.Test, e.Elapsed)
			}
			delete(output, test)
		}
	}
	if len(output) > 0 {
		for test, text := range output {
			fmt.Printf("never ended: %s\n%s", test, strings.Join(text, ""))
		}
		counts["fail"]++
	}
	fmt.Printf("%d passed, %d failed", counts["pass"], counts["fail"])
	if counts["skip"] > 0 {
		fmt.Printf(", %d skipped", counts["skip"])
	}
	fmt.Println()
	if counts["fail"] > 0 {
		os.Exit(1)
	}
}
