package runtime_test

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/troupe-go/troupe/actors"
	"github.com/troupe-go/troupe/runtime"
)

func ExampleConfig_Validate() {
	save := func(context.Context, *actors.Record) error { return nil }
	cfg := runtime.Config{
		Brokers: []string{"localhost"},
		Topics:  []runtime.Topic{{Name: "orders", Behavior: actors.Func(save), Delay: -time.Second}},
	}
	fmt.Println(cfg.Validate())
	// Output:
	// invalid config:
	// 	brokers[0]: "localhost": must be host:port
	// 	group: required
	// 	topics[0].delay: -1s: must not be negative
}

func ExampleSecret() {
	sasl := runtime.SASL{Mechanism: "PLAIN", Username: "billing", Password: runtime.SecretEnv("BILLING_PASSWORD")}
	text, err := json.Marshal(sasl)
	fmt.Printf("%+v\n%s %v\n", sasl, text, err)
	zap.NewExample().Info("login", zap.Any("password", sasl.Password), zap.Any("sasl", sasl))
	// Output:
	// {Mechanism:PLAIN Username:billing Password:***}
	// {"Mechanism":"PLAIN","Username":"billing","Password":"***"} <nil>
	// {"level":"info","msg":"login","password":"***","sasl":{"Mechanism":"PLAIN","Username":"billing","Password":"***"}}
}
