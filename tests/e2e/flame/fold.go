package flame

import (
	"bufio"
	"io"
	"path"
	"slices"
	"strings"
)

// A Frame is a function as it was called by the one before it, with the samples in it and in what it called.
type Frame struct {
	Name     string
	Samples  int
	Children []*Frame // By name.
}

func (f *Frame) child(name string) *Frame {
	i, found := slices.BinarySearchFunc(f.Children, name, func(c *Frame, name string) int { return strings.Compare(c.Name, name) })
	if !found {
		f.Children = slices.Insert(f.Children, i, &Frame{Name: name})
	}
	return f.Children[i]
}

// Fold reads what `perf script -F comm,ip,sym,dso` writes: for each sample a line with the thread's name, the frames from the
// innermost outwards, and an empty line.
func Fold(text io.Reader) *Frame {
	root := &Frame{Name: "all"}
	var stack []string
	sample := func() {
		if len(stack) == 0 {
			return
		}
		f := root
		f.Samples++
		for _, name := range slices.Backward(stack) {
			f = f.child(name)
			f.Samples++
		}
		stack = stack[:0]
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		line := lines.Text()
		switch {
		case strings.TrimSpace(line) == "":
			sample()
		case line[0] == ' ' || line[0] == '\t':
			_, symbol, _ := strings.Cut(strings.TrimSpace(line), " ") // Behind the address.
			stack = append(stack, nameOf(symbol))
		}
	}
	sample()
	return root
}

// nameOf is the name of a frame's function, or of the library that does not say it: "SYMBOL (FILE)".
func nameOf(frame string) string {
	at := strings.LastIndex(frame, " (")
	if at < 0 || !strings.HasSuffix(frame, ")") {
		return ShortName(frame)
	}
	symbol, file := frame[:at], frame[at+2:len(frame)-1]
	if symbol != "[unknown]" {
		return ShortName(symbol)
	}
	return "[" + strings.Trim(path.Base(file), "[]") + "]"
}

// ShortName is a C++ function's name without its parameters, template arguments and the machinery of a coroutine.
func ShortName(symbol string) string {
	symbol = strings.TrimSuffix(symbol, " [clone .actor]")
	symbol = strings.TrimSuffix(symbol, " [clone .isra.0]")
	symbol = strings.ReplaceAll(symbol, "(anonymous namespace)::", "")
	symbol = strings.ReplaceAll(symbol, "operator()", "operator")
	var name strings.Builder
	depth := 0
	for i, c := range symbol {
		switch {
		case c == '<' && !strings.HasSuffix(symbol[:i], "operator"):
			depth++
		case c == '>' && depth > 0:
			depth--
		case depth > 0:
		case c == '(':
			return lastWord(name.String())
		default:
			name.WriteRune(c)
		}
	}
	return lastWord(name.String())
}

// lastWord leaves out the type that a function template's name begins with.
func lastWord(name string) string {
	name = strings.TrimSpace(name)
	if at := strings.LastIndexByte(name, ' '); at >= 0 && strings.Contains(name[at:], "::") {
		name = name[at+1:]
	}
	if name == "" {
		return "[unknown]"
	}
	return name
}
