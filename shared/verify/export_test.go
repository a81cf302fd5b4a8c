package verify

import "crypto/x509"

// TrustRoots lets certificates that are fetched end in other roots than the system's.
func TrustRoots(pool *x509.CertPool) Option { return func(k *keys) { k.roots = pool } }
