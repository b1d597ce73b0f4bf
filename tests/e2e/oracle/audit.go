package oracle

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
)

// An AuditEvent is one line of the API server's audit log: the part that tests look at.
type AuditEvent struct {
	AuditID    string `json:"auditID"`
	Stage      string `json:"stage"`
	RequestURI string `json:"requestURI"`
	Verb       string `json:"verb"`
	User       struct {
		Username string   `json:"username"`
		Groups   []string `json:"groups"`
	} `json:"user"`
	ObjectRef struct {
		Resource    string `json:"resource"`
		Subresource string `json:"subresource"`
		Namespace   string `json:"namespace"`
		Name        string `json:"name"`
		APIGroup    string `json:"apiGroup"`
	} `json:"objectRef"`
	ResponseStatus struct {
		Code int `json:"code"`
	} `json:"responseStatus"`
}

// AuditMark is where the audit log ends now; AuditSince reads from there.
func (c *Cluster) AuditMark() (int64, error) {
	info, err := os.Stat(c.AuditFile)
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}

// AuditSince returns what the API server was asked since the mark. A watch appears once when it starts and once more
// when it ends.
func (c *Cluster) AuditSince(mark int64) ([]AuditEvent, error) {
	f, err := os.Open(c.AuditFile)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if _, err := f.Seek(mark, io.SeekStart); err != nil {
		return nil, err
	}
	var events []AuditEvent
	lines := bufio.NewReaderSize(f, 1<<20)
	for {
		line, err := lines.ReadBytes('\n')
		if err != nil { // An unfinished last line is not there yet.
			return events, nil
		}
		var e AuditEvent
		if err := json.Unmarshal(bytes.TrimSpace(line), &e); err != nil {
			return nil, err
		}
		events = append(events, e)
	}
}
