package console

import "time"

// eventItem is an event in the list of events.
type eventItem struct {
	ID         string    `json:"id"`
	Source     string    `json:"source"`
	Type       string    `json:"type"`
	Trust      string    `json:"trust"`
	AcceptedAt time.Time `json:"acceptedAt"`
	BodyBytes  int64     `json:"bodyBytes"`
	Endpoints  []string  `json:"endpoints"`
	Delivered  int       `json:"delivered"`
	Waiting    int       `json:"waiting"`
	Dead       int       `json:"dead"`
}

// planned is what applying a configuration would change.
type planned struct {
	Changes []struct {
		Action string `json:"action"`
		Text   string `json:"text"`
	} `json:"changes"`
	Warnings []string `json:"warnings"`
}

// applied is what applying a configuration has changed.
type applied struct {
	planned

	Secrets []struct {
		Endpoint string `json:"endpoint"`
		Secret   string `json:"secret"`
	} `json:"secrets"`
}
