package config

import (
	"fmt"
	"time"

	"webhook-relay/shared/pattern"
	"webhook-relay/shared/relay/catalog"
	"webhook-relay/shared/retry"
)

// retrying is an endpoint's retry: how often and for how long a delivery is attempted.
type retrying struct {
	Schedule    *[]time.Duration `yaml:"schedule"`
	Exponential *exponential     `yaml:"exponential"`
	MaxAge      *time.Duration   `yaml:"max_age"`
	Final       []string         `yaml:"final"`
}

type exponential struct {
	First    time.Duration `yaml:"first"`
	Factor   float64       `yaml:"factor"`
	Max      time.Duration `yaml:"max"`
	Attempts int           `yaml:"attempts"`
}

const (
	// maxAge is the longest max_age. A longer one is a mistake.
	maxAge = 365 * 24 * time.Hour
	// maxConcurrency is the highest concurrency. Unless its quota was raised, an AWS account cannot
	// run more attempts at once.
	maxConcurrency = 10_000
)

// retry converts an endpoint's retry into the catalog's fields.
func (c *checker) retry(path string, r *retrying, out *catalog.Endpoint) {
	if r == nil {
		return
	}
	var err error
	switch {
	case r.Schedule != nil && r.Exponential != nil:
		c.fail(path, "has both schedule and exponential; use one of them")
	case r.Exponential != nil:
		path := path + ".exponential"
		if out.Schedule, err = retry.Exponential(*r.Exponential).Schedule(); err != nil {
			c.fail(path, "%w", err)
		}
	case r.Schedule != nil:
		out.Schedule = append([]time.Duration{}, *r.Schedule...)
		if err := retry.Validate(out.Schedule); err != nil {
			c.fail(path+".schedule", "%w", err)
		}
	}
	if r.MaxAge != nil {
		if out.MaxAge = *r.MaxAge; out.MaxAge <= 0 || out.MaxAge > maxAge {
			c.fail(path+".max_age", "%v must be above 0s and at most %v", out.MaxAge, maxAge)
		}
	}
	for i, status := range r.Final {
		if !finalForm().MatchString(status) {
			c.fail(fmt.Sprintf("%s.final[%d]", path, i),
				`%q is neither a status that is no success, such as "404", nor a class of such statuses, such as "4xx"`, status)
		}
	}
	out.Final = r.Final
}

// finalForm is the form of a final status. 2xx is success, and 1xx is not an answer, so neither can
// be final.
var finalForm = pattern.Lazy(`^[345](xx|[0-9][0-9])$`)

// limits converts an endpoint's rate_limit and concurrency into the catalog's fields.
func (c *checker) limits(path string, e endpoint, out *catalog.Endpoint) {
	limit := c.rate(path+".rate_limit", e.RateLimit)
	out.RateLimit, out.RatePer = limit.Count, limit.Per
	if e.Concurrency != nil {
		if out.Concurrency = *e.Concurrency; out.Concurrency < 1 ||
			out.Concurrency > maxConcurrency {
			c.fail(
				path+".concurrency", "%d is not between 1 and %d", out.Concurrency, maxConcurrency,
			)
		}
	}
}
