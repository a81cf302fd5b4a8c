package console

// routes registers the pages, by their paths below the base.
func (s *server) routes() {
	for pattern, page := range map[string]pageHandler{
		"GET /{$}":     (*visit).overview,
		"POST /logout": (*visit).logout,
	} {
		s.pages.Handle(pattern, page)
	}
}
