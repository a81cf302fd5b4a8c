package verify

import (
	"context"
	"encoding/json"
)

// answerDiscord answers the pings that Discord sends when a URL is saved: type 1 for an
// interactions endpoint, type 0 for webhook events. Webhook events have type 1 too, but also a
// member "event".
func answerDiscord(_ context.Context, _ *keys, r Request) (*Result, error) {
	var body struct {
		Type  *int            `json:"type"`
		Event json.RawMessage `json:"event"`
	}
	if err := json.Unmarshal(r.Body, &body); err != nil || body.Type == nil || body.Event != nil {
		return nil, nil //nolint:nilerr,nilnil // no ping
	}
	switch *body.Type {
	case 0:
		return emptyReply(204, nil), nil
	case 1:
		return jsonReply(map[string]int{"type": 1}), nil
	}
	return nil, nil //nolint:nilnil // an interaction
}
