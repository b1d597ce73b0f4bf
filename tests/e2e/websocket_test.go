package e2e

import (
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"weir.dev/e2e/oracle"
)

// openWebSocket shakes hands at a path; the answer is not nil where there was one.
func openWebSocket(t *testing.T, server, path string, user oracle.User, protocols ...string) (*websocket.Conn, *http.Response) {
	t.Helper()
	config, err := user.TLSClient(cluster.CAFile(), "http/1.1")
	must(t, err)
	dialer := websocket.Dialer{TLSClientConfig: config, Subprotocols: protocols, HandshakeTimeout: 10 * time.Second}
	header := http.Header{"Origin": {"https://localhost"}}
	if user.Token != "" {
		header.Set("Authorization", "Bearer "+user.Token)
	}
	conn, answer, err := dialer.Dial("wss"+strings.TrimPrefix(server, "https")+path, header)
	if err != nil && answer == nil {
		t.Fatal(err)
	}
	if conn != nil {
		t.Cleanup(func() { _ = conn.Close() })
		must(t, conn.SetReadDeadline(time.Now().Add(20*time.Second)))
	}
	return conn, answer
}

// TestWatchOverWebSocket: the same frames as from the API server, and the same end.
func TestWatchOverWebSocket(t *testing.T) {
	path := "/api/v1/namespaces/a/configmaps?watch=1&resourceVersion=0&timeoutSeconds=2"
	cert, err := cluster.CertUser("admin", "system:masters")
	must(t, err)
	for _, user := range []oracle.User{cluster.Admin, cert} {
		var frames [2][]string
		for i, server := range []string{cluster.URL(), weir.URL} {
			conn, answer := openWebSocket(t, server, path, user)
			if conn == nil {
				t.Fatal(answer.Status)
			}
			for {
				kind, frame, err := conn.ReadMessage()
				if err != nil {
					frames[i] = append(frames[i], err.Error())
					break
				}
				frames[i] = append(frames[i], fmt.Sprint(kind, string(frame)))
			}
		}
		if len(frames[0]) < 8 || strings.Join(frames[0], "") != strings.Join(frames[1], "") {
			t.Errorf("%d frames directly, %d by Weir", len(frames[0]), len(frames[1]))
		}
	}
}

// TestWebSocketTokens: a bearer token may come as a subprotocol, which browsers can send.
func TestWebSocketTokens(t *testing.T) {
	token := func(text string) string {
		return "base64url.bearer.authorization.k8s.io." + base64.RawURLEncoding.EncodeToString([]byte(text))
	}
	aliceCert, err := cluster.CertUser("alice")
	must(t, err)
	nobody := oracle.User{}
	rows := []struct {
		name      string
		user      oracle.User
		namespace string
		protocols []string
		weir      string // What Weir answers where it differs on purpose; see the README's mask.
	}{
		{"alice", nobody, "team-a", []string{"any.protocol", token("alice-token")}, ""},
		{"alice, token first", nobody, "team-a", []string{token("alice-token"), "any.protocol", "other"}, ""},
		{"alice elsewhere", nobody, "team-b", []string{"any.protocol", token("alice-token")}, ""},
		{"only a token", nobody, "team-a", []string{token("alice-token")}, ""},
		{"two tokens", nobody, "team-a", []string{"any.protocol", token("alice-token"), token("alice-token")}, ""},
		{"a wrong token", nobody, "team-a", []string{"any.protocol", token("nonsense")}, ""},
		{"no base64", nobody, "team-a", []string{"any.protocol", "base64url.bearer.authorization.k8s.io.!!"}, ""},
		{"an empty one", nobody, "team-a", []string{"any.protocol", token("")}, "401 Unauthorized"},
		{"nobody", nobody, "team-a", []string{"any.protocol"}, ""},
		{"beside a header", cluster.TokenUser("alice"), "team-a", []string{"any.protocol", token("nonsense")}, "101 Switching Protocols[any.protocol]"},
		{"beside a certificate", aliceCert, "team-a", []string{"any.protocol", token("nonsense")}, "101 Switching Protocols[any.protocol]"},
	}
	for _, row := range rows {
		t.Run(subtestName(row.name), func(t *testing.T) {
			var heads [2]string
			for i, server := range []string{cluster.URL(), weir.URL} {
				path := "/api/v1/namespaces/" + row.namespace + "/pods?watch=1&resourceVersion=0&timeoutSeconds=1"
				_, answer := openWebSocket(t, server, path, row.user, row.protocols...)
				body, _ := io.ReadAll(answer.Body)
				heads[i] = fmt.Sprint(answer.Status, answer.Header.Values("Sec-Websocket-Protocol"), string(body))
			}
			if row.weir != "" && !selfCheck {
				if heads[0] == heads[1] || !strings.HasPrefix(heads[1], row.weir) {
					t.Errorf("directly %s\nby Weir %s, not %s", heads[0], heads[1], row.weir)
				}
			} else if heads[0] != heads[1] {
				t.Errorf("directly %s\nby Weir %s", heads[0], heads[1])
			}
		})
	}
}
