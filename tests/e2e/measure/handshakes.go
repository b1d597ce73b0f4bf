package measure

import (
	"crypto/tls"
	"fmt"
	"io"
	"strings"

	"golang.org/x/net/http2"
	"golang.org/x/sync/errgroup"
)

// Handshakes connects to an https URL anew, `count` times, `parallel` at once, without tickets. Each speaks HTTP/2: a
// server's SETTINGS come after it has looked at the client's certificate, and cost nothing beside the handshake.
func Handshakes(url string, config *tls.Config, count, parallel int) error {
	config = config.Clone()
	config.NextProtos = []string{"h2"}
	config.SessionTicketsDisabled = true
	config.CurvePreferences = []tls.CurveID{tls.X25519} // Else newer servers agree to ML-KEM beside it, which costs more.
	var group errgroup.Group
	for worker := range parallel {
		group.Go(func() error {
			for i := worker; i < count; i += parallel {
				if err := handshake(strings.TrimPrefix(url, "https://"), config); err != nil {
					return fmt.Errorf("handshake with %s: %w", url, err)
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func handshake(address string, config *tls.Config) error {
	conn, err := tls.Dial("tcp", address, config)
	if err != nil {
		return err
	}
	defer conn.Close()
	if protocol := conn.ConnectionState().NegotiatedProtocol; protocol != "h2" {
		return fmt.Errorf("speaks %q, not h2", protocol)
	}
	framer := http2.NewFramer(conn, conn)
	if _, err := io.WriteString(conn, http2.ClientPreface); err != nil {
		return err
	}
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	frame, err := framer.ReadFrame()
	if err == nil && frame.Header().Type != http2.FrameSettings {
		err = fmt.Errorf("%s before SETTINGS", frame.Header())
	}
	return err
}
