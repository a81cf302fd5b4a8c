package catalog

import (
	"context"
	"time"
)

// Kind is a kind of resource in a catalog. The set is closed.
type Kind string

// The kinds of resources.
const (
	KindSource       Kind = "source"
	KindEndpoint     Kind = "endpoint"
	KindSubscription Kind = "subscription"
)

// Manager tells who manages a resource. A change by another manager is refused. The set is closed.
type Manager string

// The managers of resources.
const (
	ManagedByFile   Manager = "file"   // "relay apply"; also the zero value of a resource in a file
	ManagedByAPI    Manager = "api"    // the admin API
	ManagedByPortal Manager = "portal" // the tenant's own users
)

// Resource is one resource of a tenant's catalog. Exactly one of Source, Endpoint and Subscription
// is set: that of Kind.
type Resource struct {
	Kind      Kind
	Name      string
	ManagedBy Manager
	// Revision is the tenant's catalog revision in which this resource was last changed.
	Revision  int64
	ChangedAt time.Time // UTC, whole seconds; when it was last changed

	Source       *Source
	Endpoint     *Endpoint
	Subscription *Subscription
}

// AnyRevision as Edit.Base means that the edit does not depend on the resource's revision.
const AnyRevision int64 = -1

// Edit is a change of one resource.
type Edit struct {
	// Put is the resource to create or replace. Its Revision and ChangedAt are ignored. nil: the
	// resource named by Kind and Name is deleted.
	Put  *Resource
	Kind Kind   // of the resource to delete
	Name string // of the resource to delete
	// Base is the revision that the resource must have; 0: it must not exist; AnyRevision: it does
	// not matter.
	Base int64
	// By is who makes the change. It is refused with ErrManaged if the resource exists and somebody
	// else manages it, unless Adopt is set. The resource is managed by By afterwards.
	By    Manager
	Adopt bool
	// Forget deletes the secret that the source to Put has learned. Without it the secret is kept,
	// unless the source brings another.
	Forget bool
}

// Forgets tells whether the edit deletes the secret that its source has learned, if any.
func (e Edit) Forgets() bool {
	return e.Put == nil || e.Forget || len(e.Put.Source.Secrets) > 0
}

// Editor reads and changes single resources of one tenant's catalog. It is safe for concurrent use.
type Editor interface {
	// Resource returns a resource as it is now, with its secrets. Error: ErrNotFound.
	Resource(ctx context.Context, kind Kind, name string) (Resource, error)
	// Resources lists the resources of a kind by name, those after a name, at most limit of them (1
	// to 250). It decrypts nothing: the secrets of sources and endpoints are left out. next is the
	// name to go on after; "": the end.
	Resources(
		ctx context.Context, kind Kind, after string, limit int,
	) (found []Resource, next string, err error)
	// Users returns the names of the subscriptions that name a source or an endpoint, sorted.
	Users(ctx context.Context, kind Kind, name string) ([]string, error)
	// Edit makes one change, whole or not at all, in one transaction of at most ten writes. It
	// returns the resource's new revision, which is also the catalog's. Deleting what does not
	// exist is ErrNotFound.
	//
	// Errors, after which nothing was written: ErrConflict if Base does not hold, or somebody else
	// changed the catalog at the same moment and Base could not be looked at again; ErrManaged;
	// ErrInUse if subscriptions name the source or endpoint to delete; ErrNotFound if a
	// subscription names a source or endpoint that does not exist.
	Edit(ctx context.Context, e Edit) (revision int64, err error)
}
