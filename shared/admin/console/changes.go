package console

import (
	"encoding/json"

	"webhook-relay/shared/admin"
)

func (v *visit) changes() error {
	found, err := listOf[admin.Change](v, "/v1/audit", nil)
	if err != nil {
		return err
	}
	return v.ok(page{title: "Changes", nav: "/changes", live: true}, changesPage(v, found))
}

// verifyData is the result of a check of the audit log.
type verifyData struct {
	checked int
	broken  *admin.Problem
}

// maxVerifyRounds bounds the work of one request; each checks 1,000 entries.
const maxVerifyRounds = 50

func (v *visit) verifyChanges() error {
	var d verifyData
	next := ""
	for range maxVerifyRounds {
		q := map[string][]string{}
		if next != "" {
			q["next"] = []string{next}
		}
		found, err := get[admin.Verification](v, "/v1/audit/verify", q)
		if err != nil {
			p := problemOf(err)
			if p.Status != 409 {
				return err
			}
			d.broken = p
			break
		}
		d.checked += found.Entries
		if next = found.Next; next == "" {
			break
		}
	}
	return v.ok(page{title: "Check of the changes", nav: "/changes"}, verifyPage(v, d))
}

// indented returns JSON as it is shown.
func indented(doc json.RawMessage) string { return pretty(string(doc)) }
