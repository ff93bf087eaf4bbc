package config

import "slices"

// SecretVariables are the names of the environment variables that hold credentials of
// registries and sources: no program that the configuration names sees them.
func (c *Config) SecretVariables() []string {
	var names []string
	for _, s := range c.Sources {
		switch {
		case s.GitHub != nil:
			names = append(names, s.GitHub.TokenEnv)
		case s.Pipelines != nil:
			names = append(names, s.Pipelines.TokenEnv)
		case s.HTTP != nil:
			names = append(names, s.HTTP.TokenEnv)
		}
	}
	for _, r := range c.Registries {
		for _, i := range []*Identity{r.Read, r.Evidence, r.Promote} {
			if i != nil {
				names = append(names, i.PasswordEnv)
			}
		}
		names = append(names, r.Via.TokenEnv())
	}
	return slices.DeleteFunc(names, func(name string) bool { return name == "" })
}
