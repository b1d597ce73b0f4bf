package flame

import (
	"bufio"
	"fmt"
	"html"
	"io"
	"strings"
)

const (
	width     = 1200
	rowHeight = 17
	charWidth = 6.6  // Of the font below.
	least     = 0.35 // Narrower frames are not drawn.
)

// Draw writes the graph as SVG: the callers below, what they call above them, and the share of all samples as the width.
// A pointer that rests on a frame is told its whole name and share.
func Draw(out io.Writer, root *Frame, title string) {
	w := bufio.NewWriter(out)
	defer w.Flush()
	height := (depth(root, root.Samples) + 2) * rowHeight
	fmt.Fprintf(w, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="monospace" font-size="11">`+"\n", width, height)
	fmt.Fprintf(w, `<rect width="%d" height="%d" fill="#fff"/><text x="4" y="12">%s: %d samples, %d a second and thread</text>`+"\n",
		width, height, html.EscapeString(title), root.Samples, samplesPerSecond)
	draw(w, root, root.Samples, 0, height-rowHeight)
	fmt.Fprintln(w, "</svg>")
}

func share(samples, all int) float64 { return float64(samples) / float64(all) }

func depth(f *Frame, all int) int {
	deepest := 0
	for _, c := range f.Children {
		if share(c.Samples, all)*width >= least {
			deepest = max(deepest, depth(c, all))
		}
	}
	return deepest + 1
}

func draw(w io.Writer, f *Frame, all int, x float64, y int) {
	span := share(f.Samples, all) * width
	if span < least {
		return
	}
	fmt.Fprintf(w, `<g><title>%s %.1f %%</title><rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s" stroke="#fff" stroke-width="0.4"/>`,
		html.EscapeString(f.Name), 100*share(f.Samples, all), x, y, span, rowHeight, colour(f.Name))
	if letters := int(span / charWidth); letters >= 3 {
		fmt.Fprintf(w, `<text x="%.1f" y="%d">%s</text>`, x+2, y+12, html.EscapeString(cut(f.Name, letters)))
	}
	fmt.Fprintln(w, "</g>")
	for _, c := range f.Children {
		draw(w, c, all, x, y-rowHeight)
		x += share(c.Samples, all) * width
	}
}

func cut(name string, letters int) string {
	if len(name) <= letters {
		return name
	}
	return name[:letters-1] + "…"
}

// colour tells whose code it is: Weir's, a C++ library's, or C, which is the kernel, OpenSSL, zlib and nghttp2.
func colour(name string) string {
	switch {
	case strings.HasPrefix(name, "weir::"):
		return "#f2a65a"
	case strings.HasPrefix(name, "nghttp2_"):
		return "#c9b6e4"
	case strings.Contains(name, "::"):
		return "#f4d58d"
	case strings.HasPrefix(name, "aes") || strings.HasPrefix(name, "gcm") || strings.HasPrefix(name, "SSL_") ||
		strings.HasPrefix(name, "EVP_") || strings.HasPrefix(name, "[libcrypto") || strings.HasPrefix(name, "[libssl") || strings.HasPrefix(name, "ossl_") || strings.HasPrefix(name, "tls"):
		return "#a7c957"
	}
	return "#a9c5de"
}
