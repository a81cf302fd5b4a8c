package admin

import (
	"strconv"
	"strings"
)

// Conditions are the headers by which a write says what it replaces.
type Conditions struct {
	IfMatch     string `header:"If-Match" doc:"To replace: the ETag of what you have read"`
	IfNoneMatch string `header:"If-None-Match" doc:"To create: *"`
}

// etag returns the ETag of a revision.
func etag(revision int64) string { return `"` + strconv.FormatInt(revision, 10) + `"` }

// base returns the revision that a write replaces; 0: it must not exist.
func (c Conditions) base() (int64, error) {
	switch {
	case c.IfMatch != "" && c.IfNoneMatch != "":
		return 0, at("/header/If-Match", "excludes If-None-Match; send one of them")
	case c.IfNoneMatch == "*":
		return 0, nil
	case c.IfNoneMatch != "":
		return 0, at("/header/If-None-Match", "only * is taken: create it if it does not exist")
	case c.IfMatch == "":
		return 0, noCondition.problem(
			"Send If-None-Match: * to create it, or If-Match with the ETag of what you have read to replace it.",
		)
	}
	return revisionOf(c.IfMatch)
}

// revisionOf returns the revision of an ETag in If-Match.
func revisionOf(tag string) (int64, error) {
	text, begins := strings.CutPrefix(tag, `"`)
	text, ends := strings.CutSuffix(text, `"`)
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || !begins || !ends || n < 1 {
		return 0, at("/header/If-Match", "is no ETag of this API; it looks like %s", etag(7))
	}
	return n, nil
}

// Condition is the header by which a deletion may say what it deletes.
type Condition struct {
	IfMatch string `header:"If-Match" doc:"Delete it only if it still has this ETag"`
}

// base returns the revision to delete; none: any.
func (c Condition) base(none int64) (int64, error) {
	if c.IfMatch == "" {
		return none, nil
	}
	return revisionOf(c.IfMatch)
}

// stale is the problem that a condition does not hold.
func stale(revision, base int64) *Problem {
	switch {
	case base == 0:
		return changed.problem("It exists already, with the ETag %s.", etag(revision))
	case revision == 0:
		return changed.problem("It does not exist. If-None-Match: * creates it.")
	}
	return changed.problem("It has the ETag %s now. Read it again.", etag(revision))
}
