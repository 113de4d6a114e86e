package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// shop is a little service: what it needs is in its environment when it begins, it asks
// its database all the time, in sessions that come and go, and writes down each
// query that failed. It ends what it has begun when it is told to stop.
func shop() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	dir := os.Getenv("SHOP")
	note := func(file, text string) {
		f, err := os.OpenFile(filepath.Join(dir, file), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			_, _ = fmt.Fprintln(f, text)
			_ = f.Close()
		}
	}
	var served atomic.Int64
	var workers sync.WaitGroup
	for range 3 {
		workers.Go(func() {
			for ctx.Err() == nil {
				if err := visit(ctx, &served); err != nil {
					note("failed", strings.ReplaceAll(err.Error(), "\n", " "))
				}
			}
		})
	}
	workers.Wait()
	note("served", fmt.Sprintf("%s %d", os.Getenv("DB_USER"), served.Load()))
}

// visit is one session with some queries, each begun only if nobody has said stop.
func visit(told context.Context, served *atomic.Int64) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := pgconn.Connect(ctx, fmt.Sprintf("host=127.0.0.1 port=%s user=%s password=%s dbname=app sslmode=disable application_name=shop",
		os.Getenv("DB_PORT"), os.Getenv("DB_USER"), os.Getenv("DB_PASSWORD")))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(ctx) }()
	for range 10 {
		if told.Err() != nil {
			return nil
		}
		if _, err := conn.Exec(ctx, "SELECT sum(price) FROM goods").ReadAll(); err != nil {
			return err
		}
		served.Add(1)
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}
