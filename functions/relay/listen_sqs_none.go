//go:build local

package main

import "webhook-relay/shared/admin"

func newQueue(admin.TransportView) (mailbox, error) { return nil, ErrLocalOnly }
