package all

import (
	"rekey/internal/provider"
	"rekey/internal/provider/external"
)

// Outside returns the descriptor of a driver outside, from what it says of itself.
func Outside(described []byte) (provider.Descriptor, error) {
	d, err := external.Describe(described)
	if err != nil {
		return provider.Descriptor{}, err
	}
	return external.Descriptor(d), nil
}
