// Package access decides who may use the admin API, and records what they change.
//
//	tokens := access.NewTokens(documents, time.Now)
//	text, token, err := tokens.Make(access.Token{Name: "ci", Role: access.Operate})
//	err = tokens.Save(ctx, text, token)
//	token, err = tokens.Authenticate(ctx, text)
//
// A token is 256 random bits. Only its SHA-256 hash is stored, so the stored form opens nothing. A
// slow hash is not needed for a secret that nobody can guess. A revoked token is refused at once by
// the process that revoked it, and after CacheTTL by every other.
//
// [Audit] is a list of changes for each tenant. Each entry has the hash of the one before it, so an
// entry that was changed, removed or added later breaks the chain.
//
// [Sessions] are the sign-ins of people at the console and the portal: opened with a token, or with
// a link that can be used once.
//
// [Idempotency] keeps the answers of requests for a day, so that a repeat of a request does nothing
// twice. [Sealer] encrypts positions of listings and stored answers.
package access
