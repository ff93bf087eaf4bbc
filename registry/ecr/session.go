package ecr

import (
	"context"
	"os"
	"regexp"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/arn"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/ecr"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"plimsoll/config"
	"plimsoll/config/clean"
	"plimsoll/registry"
)

// sessions keeps one session for each identity and region.
type sessions struct {
	options  Options
	promotes bool

	mu   sync.Mutex
	kept map[string]*session
}

func (s *sessions) of(id config.AWSIdentity, region string) *session {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := strings.Join([]string{id.Profile, id.Role, region}, "\x00")
	if s.kept[key] == nil {
		if s.kept == nil {
			s.kept = map[string]*session{}
		}
		s.kept[key] = &session{
			options: s.options, id: id, region: region, promotes: s.promotes,
			turn: make(chan struct{}, 1),
		}
	}
	return s.kept[key]
}

// session is one identity of AWS, signed in when it is first needed.
type session struct {
	options  Options
	id       config.AWSIdentity
	region   string
	promotes bool
	turn     chan struct{} // has room for the one who signs in or asks for a token

	config *aws.Config
	token  registry.Credential // for all registries of the region
}

// wait takes the turn, or returns why ctx ended; the caller gives it back with done.
func (s *session) wait(ctx context.Context) (done func(), err error) {
	select {
	case s.turn <- struct{}{}:
		return func() { <-s.turn }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// api is ECR's interface with this identity.
func (s *session) api(ctx context.Context) (*ecr.Client, error) {
	done, err := s.wait(ctx)
	if err != nil {
		return nil, err
	}
	defer done()
	cfg, err := s.open(ctx)
	if err != nil {
		return nil, err
	}
	return ecr.NewFromConfig(cfg), nil
}

// open reads AWS's configuration and takes the role. Whoever calls it has the turn.
func (s *session) open(ctx context.Context) (aws.Config, error) {
	if s.config != nil {
		return *s.config, nil
	}
	name := sessionName(ctx)
	options := []func(*awsconfig.LoadOptions) error{
		awsconfig.WithAssumeRoleCredentialOptions(func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = name }),
		awsconfig.WithWebIdentityRoleCredentialOptions(func(o *stscreds.WebIdentityRoleOptions) { o.RoleSessionName = name }),
	}
	if s.region != "" {
		options = append(options, awsconfig.WithRegion(s.region))
	}
	if s.id.Profile != "" {
		options = append(options, awsconfig.WithSharedConfigProfile(s.id.Profile))
	}
	if s.options.HTTP != nil {
		options = append(options, awsconfig.WithHTTPClient(s.options.HTTP))
	}
	cfg, err := awsconfig.LoadDefaultConfig(ctx, options...)
	if err != nil {
		return aws.Config{}, s.trouble(ctx, err, "read the configuration of AWS")
	}
	if cfg.HTTPClient != nil {
		cfg.HTTPClient = bounded{cfg.HTTPClient}
	}
	cfg.Credentials = watched{cfg.Credentials}
	if err := s.assume(ctx, &cfg, name); err != nil {
		return aws.Config{}, err
	}
	s.config = &cfg
	return cfg, nil
}

// assume takes the configured role, unless the identity has it already: of a
// pipeline whose web identity token is for that role, or whose keys are a session of it.
func (s *session) assume(ctx context.Context, cfg *aws.Config, name string) error {
	if s.id.Role == "" {
		return nil
	}
	federated := s.id.Profile == "" && os.Getenv("AWS_WEB_IDENTITY_TOKEN_FILE") != "" && os.Getenv("AWS_ROLE_ARN") == s.id.Role
	if federated {
		return nil
	}
	client := sts.NewFromConfig(*cfg)
	who, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return s.trouble(ctx, err, "ask AWS who this is")
	}
	if isSessionOf(aws.ToString(who.Arn), s.id.Role) {
		return nil
	}
	role := stscreds.NewAssumeRoleProvider(client, s.id.Role, func(o *stscreds.AssumeRoleOptions) { o.RoleSessionName = name })
	cfg.Credentials = watched{aws.NewCredentialsCache(role)}
	if _, err := cfg.Credentials.Retrieve(ctx); err != nil {
		return s.trouble(ctx, err, "take the role "+s.id.Role+" as "+clean.Text(aws.ToString(who.Arn)))
	}
	return nil
}

// subject is the name of the identity, "" if AWS does not tell: a record does
// not fail for it.
func (s *session) subject(ctx context.Context, cfg aws.Config) string {
	who, err := sts.NewFromConfig(cfg).GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		return ""
	}
	return clean.Text(aws.ToString(who.Arn))
}

// isSessionOf tells whether caller is a session of role:
// arn:aws:sts::123456789012:assumed-role/NAME/SESSION of arn:aws:iam::123456789012:role/PATH/NAME.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html
func isSessionOf(caller, role string) bool {
	c, err := arn.Parse(caller)
	r, err2 := arn.Parse(role)
	if err != nil || err2 != nil || c.AccountID != r.AccountID || c.Partition != r.Partition || c.Service != "sts" || r.Service != "iam" {
		return false
	}
	path, isRole := strings.CutPrefix(r.Resource, "role/")
	parts := strings.Split(c.Resource, "/")
	return isRole && len(parts) == 3 && parts[0] == "assumed-role" && parts[1] == path[strings.LastIndexByte(path, '/')+1:]
}

// notInSession is what no name of a session may have.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
var notInSession = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^A-Za-z0-9_+=,.@-]+`) })

// sessionMost is how long the name may be.
const sessionMost = 64

// sessionName says in CloudTrail who promoted, and in which operation: the
// person's id and the operation's, without what the name may not have. Of a long name
// the person is cut, because the operation's record names the person in full.
func sessionName(ctx context.Context) string {
	e := registry.ErrandOf(ctx)
	operation := inSession(e.Operation)
	person := inSession(e.Person)
	person = person[:min(len(person), max(0, sessionMost-len("plimsoll--")-len(operation)))]
	name := "plimsoll"
	for _, part := range []string{person, operation} {
		if part != "" {
			name += "-" + part
		}
	}
	return name[:min(len(name), sessionMost)]
}

func inSession(s string) string {
	return strings.Trim(notInSession().ReplaceAllString(s, "-"), "-")
}

// watched registers what is secret in credentials before anybody uses them.
type watched struct{ aws.CredentialsProvider }

// Retrieve returns the credentials.
func (w watched) Retrieve(ctx context.Context) (aws.Credentials, error) {
	c, err := w.CredentialsProvider.Retrieve(ctx)
	if err == nil {
		clean.Secret(c.SecretAccessKey)
		clean.Secret(c.SessionToken)
	}
	return c, err //nolint:wrapcheck // the SDK looks at it
}
