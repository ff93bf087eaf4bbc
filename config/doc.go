// Package config reads plimsoll.yaml and personal.yaml.
package config
