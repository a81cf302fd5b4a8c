package dynamo

import (
	"context"
	"fmt"
	"slices"
	"time"

	"webhook-relay/shared/relay/catalog"
)

// addLearned adds to a tenant's source of a generation the secret of its handshake. If there is
// none, it adds the end of the window in which one may come.
func (c *Catalog) addLearned(
	ctx context.Context, generation, tenant string, s *catalog.Source,
) error {
	it, err := c.get(ctx, catalog.Qualify(tenant, learnedPartition), s.Name)
	if err != nil {
		return err
	}
	if isLearned(it, generation) {
		doc, err := c.unseal(ctx, it, sourceKind, catalog.Qualify(tenant, s.Name))
		s.Secrets = doc.Secrets
		return err
	}
	if until := numberOf(it, learnUntilAttribute); until > 0 {
		s.LearnUntil = time.UnixMilli(until)
	}
	return nil
}

// isLearned reports whether an item holds the secret of a handshake in this generation.
func isLearned(it item, generation string) bool {
	return len(binaryOf(it, sealedAttribute)) > 0 && textOf(it, generationAttribute) == generation
}

// OpenLearning implements catalog.LearningWindows. The window overwrites a secret that was learned
// in another generation.
func (c *Catalog) OpenLearning(ctx context.Context, source string, until time.Time) error {
	tenant, name := catalog.SplitName(source)
	p, err := c.pointer(ctx, tenant)
	if err != nil {
		return err
	}
	s, err := c.Source(ctx, catalog.Generation(p.generation), source)
	if err != nil {
		return err
	}
	written := len(s.Secrets) == 0
	if written {
		window := key(catalog.Qualify(tenant, learnedPartition), name)
		window[learnUntilAttribute] = number(until.UnixMilli())
		written, _, err = c.putIf(ctx, window,
			"attribute_not_exists(sealed) OR generation <> :generation",
			item{":generation": text(p.generation)})
	}
	if err == nil && !written {
		err = fmt.Errorf("it has a secret: %w", catalog.ErrConflict)
	}
	if err != nil {
		return fmt.Errorf("dynamo: window of source %s: %w", source, err)
	}
	return nil
}

// LearnSecret implements catalog.LearnedSecrets. It writes the secret over the window's item, for
// the generation in force. A replacement that was loaded after that contains the secret and writes
// it with the others. A replacement that was loaded before is refused, since the pointer counts
// learned secrets.
//
// One case is left: a replacement that was loaded before may come in force before the count is
// raised here. So LearnSecret reads the pointer once more at the end, and learns the secret again
// for the new generation. If the process dies just before that, the window is closed and no secret
// is learned. The operator then opens another window.
func (c *Catalog) LearnSecret(ctx context.Context, source, secret string) error {
	tenant, _ := catalog.SplitName(source)
	var kept []byte // the sealed secret that this call has written
	for range learnTries {
		p, err := c.pointer(ctx, tenant)
		if err != nil {
			return err
		}
		g := catalog.Generation(p.generation)
		if kept, err = c.learnIn(ctx, g, source, secret, kept); err != nil {
			return err
		}
		if err := c.countLearned(ctx, tenant); err != nil {
			return fmt.Errorf("dynamo: secret of source %s: %w", source, err)
		}
		now, err := c.pointer(ctx, tenant)
		if err != nil || now.generation == p.generation {
			return err
		}
	}
	return fmt.Errorf(
		"dynamo: secret of source %s: the catalog was replaced %d times", source, learnTries,
	)
}

// learnTries is how often LearnSecret tries while the catalog is replaced again and again.
const learnTries = 5

// learnIn stores the secret for a generation, unless the generation has it, and returns it as
// stored. It overwrites an open window. If this call has already closed the window for an earlier
// generation, it overwrites the secret stored there (kept).
func (c *Catalog) learnIn(
	ctx context.Context, g catalog.Generation, source, secret string, kept []byte,
) ([]byte, error) {
	s, err := c.Source(ctx, g, source)
	switch {
	case err != nil:
		return nil, err
	case slices.Equal(s.Secrets, []string{secret}):
		return kept, nil
	case len(s.Secrets) > 0:
		return nil, fmt.Errorf("dynamo: source %s has a secret: %w", source, catalog.ErrConflict)
	case kept == nil && !time.Now().Before(s.LearnUntil):
		return nil, fmt.Errorf("dynamo: source %s: %w", source, catalog.ErrNotOpen)
	}
	sealed, err := c.sealer.Seal(
		ctx, sourceKind+"/"+source, encode(sealedDoc{Secrets: []string{secret}}),
	)
	if err != nil {
		return nil, err
	}
	condition, values := "learn_until > :now", item{":now": number(time.Now().UnixMilli())}
	if kept != nil {
		condition, values = "sealed = :kept", item{":kept": bytesOf(kept)}
	}
	tenant, name := catalog.SplitName(source)
	it := key(catalog.Qualify(tenant, learnedPartition), name)
	it[generationAttribute], it[sealedAttribute] = text(string(g)), bytesOf(sealed)
	written, stored, err := c.putIf(ctx, it, condition, values)
	switch {
	case err == nil && written:
		return sealed, nil
	case err == nil && isLearned(stored, string(g)):
		err = catalog.ErrConflict
	case err == nil:
		err = catalog.ErrNotOpen
	}
	return nil, fmt.Errorf("dynamo: secret of source %s: %w", source, err)
}

// countLearned raises the revision of a tenant's catalog. It changes no other attribute of the
// pointer, because the receiver's role allows no other.
func (c *Catalog) countLearned(ctx context.Context, tenant string) error {
	_, err := c.do(ctx, updateItem, request{
		Key:    key(catalog.Qualify(tenant, catalogPartition), pointerSort),
		Update: "ADD " + learnedAttribute + " :one",
		Values: item{":one": number(1)},
	})
	return err
}
