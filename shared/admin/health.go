package admin

import "context"

// Health is the answer of GET /v1/health.
type Health struct {
	Body struct {
		Status string `json:"status" enum:"ok" doc:"ok"`
	}
}

func registerHealth(r *registrar) {
	handle(r, "health", func(context.Context, *struct{}) (*Health, error) {
		var h Health
		h.Body.Status = "ok"
		return &h, nil
	})
}
