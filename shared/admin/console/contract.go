package console

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
