package flame

import (
	"bytes"
	"encoding/xml"
	"io"
	"strings"
	"testing"
)

const script = `weir-0
	ffffffff81 do_syscall_64 ([kernel.kallsyms])
	    7f0012 [unknown] (/usr/lib/x86_64-linux-gnu/libssl.so.3)
	    7f0011 __libc_send (/usr/lib/x86_64-linux-gnu/libc.so.6)
	    55aa01 weir::(anonymous namespace)::Send(weir::Stream&, std::span<char const, 18446744073709551615ul>) (/usr/bin/weir)
	    55aa00 main (/usr/bin/weir)

weir-1
	    55aa02 weir::Log<unsigned long, int>::Append(unsigned long) [clone .isra.0] (/usr/bin/weir)
	    55aa00 main (/usr/bin/weir)

`

func TestFold(t *testing.T) {
	root := Fold(strings.NewReader(script))
	if root.Samples != 2 || len(root.Children) != 1 || root.Children[0].Samples != 2 {
		t.Fatalf("%+v", root)
	}
	var names []string
	for f := root; ; f = f.Children[len(f.Children)-1] {
		names = append(names, f.Name)
		if len(f.Children) == 0 {
			break
		}
	}
	if got, want := strings.Join(names, " "), "all main weir::Send __libc_send [libssl.so.3] do_syscall_64"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestShortName(t *testing.T) {
	for symbol, want := range map[string]string{
		"main": "main",
		"weir::Log<unsigned long, int>::Append(unsigned long) [clone .isra.0]":                          "weir::Log::Append",
		"void boost::asio::detail::f<weir::X, void (weir::Y::*)(int)>(weir::Y&)":                        "boost::asio::detail::f",
		"weir::(anonymous namespace)::Tunnel::Run(_ZN4weir3RunEv.Frame*) [clone .actor]":                "weir::Tunnel::Run",
		"weir::Post(absl::AnyInvocable<void ()>)::{lambda()#1}::operator()() const":                     "weir::Post",
		"std::_Function_handler<void (), weir::A::B()::{lambda()#1}>::_M_invoke(std::_Any_data const&)": "std::_Function_handler::_M_invoke",
		"": "[unknown]",
	} {
		if got := ShortName(symbol); got != want {
			t.Errorf("%q is %q, want %q", symbol, got, want)
		}
	}
}

func TestDrawIsWellFormed(t *testing.T) {
	var svg bytes.Buffer
	Draw(&svg, Fold(strings.NewReader(script)), "a <title> & more")
	for d := xml.NewDecoder(bytes.NewReader(svg.Bytes())); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in %s", err, svg.Bytes())
		}
	}
	for _, want := range []string{"weir::Send", "weir::Log::Append", "50.0 %", "100.0 %", "a &lt;title&gt;"} {
		if !strings.Contains(svg.String(), want) {
			t.Errorf("no %q in %s", want, svg.Bytes())
		}
	}
}
