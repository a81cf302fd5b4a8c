package config

import (
	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/document"
	"webhook-relay/shared/relay/catalog"
)

// order is an endpoint's ordered: true, or a map with the key whose events stay in order.
type order struct {
	On  bool    `yaml:"-"`
	Key *string `yaml:"key"`
}

// UnmarshalYAML reads either form.
func (o *order) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Load(&o.On)
	}
	o.On = true
	type keyed order // without this method
	return n.Load((*keyed)(o))
}

// maxKeyPath is the longest path of a key. A longer one is a mistake.
const maxKeyPath = 256

// order converts an endpoint's ordered into the catalog's form.
func (c *checker) order(path string, o order) catalog.Order {
	if o.Key == nil {
		return catalog.Order{On: o.On}
	}
	if len(*o.Key) > maxKeyPath || *o.Key == "" || document.CheckPath(*o.Key) != nil {
		c.fail(
			path+".key",
			"%q is not the path of a JSON value; write it such as data.account.id, or /data/account.id if a name contains a dot",
			*o.Key,
		)
	}
	return catalog.Order{On: true, Key: *o.Key}
}
