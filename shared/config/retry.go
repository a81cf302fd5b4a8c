package config

import (
	"fmt"
	"strconv"
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
	// maxRate is the highest number in rate_limit. An endpoint that takes more needs no limit.
	maxRate = 100_000
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

var (
	rateForm = pattern.Lazy(`^([0-9]{1,9})/([smh])$`)
	rateUnit = map[string]time.Duration{"s": time.Second, "m": time.Minute, "h": time.Hour}
)

// limits converts an endpoint's rate_limit and concurrency into the catalog's fields.
func (c *checker) limits(path string, e endpoint, out *catalog.Endpoint) {
	if e.RateLimit != "" {
		parts := rateForm().FindStringSubmatch(e.RateLimit)
		if parts == nil {
			c.fail(
				path+".rate_limit",
				"%q is not a rate; write a number a second, minute or hour, such as 50/s, 90/m or 1000/h",
				e.RateLimit,
			)
			return
		}
		out.RateLimit, _ = strconv.Atoi(parts[1]) // nine digits at most
		out.RatePer = rateUnit[parts[2]]
		if out.RateLimit < 1 || out.RateLimit > maxRate {
			c.fail(path+".rate_limit", "%d is not between 1 and %d", out.RateLimit, maxRate)
		}
	}
	if e.Concurrency != nil {
		if out.Concurrency = *e.Concurrency; out.Concurrency < 1 ||
			out.Concurrency > maxConcurrency {
			c.fail(
				path+".concurrency", "%d is not between 1 and %d", out.Concurrency, maxConcurrency,
			)
		}
	}
}
