// Package verify tells whether a webhook comes from whom it says it does.
package verify
