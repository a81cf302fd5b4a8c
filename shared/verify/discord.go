package verify

import (
	"context"
	"encoding/json"
)

// answerDiscord answers the pings that Discord sends when a URL is saved: of type 1 to an interactions endpoint, of type 0 to one for webhook events,
// whose events are of type 1 too, but have an event.
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
