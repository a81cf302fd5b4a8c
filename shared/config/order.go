package config

import (
	"webhook-relay/shared/relay/catalog"

	"go.yaml.in/yaml/v4"

	"webhook-relay/shared/document"
)

// order is an endpoint's ordered: true, or the key that is put in order.
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

// maxKeyPath bounds a key's path: a slip of the pen beyond that.
const maxKeyPath = 256

// order turns an endpoint's ordered into the catalog's.
func (c *checker) order(path string, o order) catalog.Order {
	if o.Key == nil {
		return catalog.Order{On: o.On}
	}
	if len(*o.Key) > maxKeyPath || *o.Key == "" || document.CheckPath(*o.Key) != nil {
		c.fail(path+".key", "%q is no path of a JSON value, such as data.account.id, or /data/account.id where a name has a dot", *o.Key)
	}
	return catalog.Order{On: true, Key: *o.Key}
}
