package main

// take measures and says what is promised of it.
func (b *contest) take() error {
	to, rounds := b.run.report, b.run.n
	asks, err := takeCosts(b.run, &b.asks, rounds)
	if err != nil {
		return err
	}
	tails, err := takeTails(b.run, &b.asks, b.world.systems, rounds, min(tailEach, 300*rounds))
	if err != nil {
		return err
	}
	to.tables = append(to.tables, asks.table(), tails.table())
	to.control("A/A control: composite over itself, CPU, median", median(asks.control()))
	to.atMost("three uncached Asks ÷ the fasthttp composite, CPU", "×", median(asks.over(b.gateway, nil)), 1.8, 4)
	to.aim("×", 1.3)
	to.note("three uncached Asks: added p99 ÷ the fasthttp composite's", "%.2f×", median(tails.addedOver(b.gateway, b.spliced, 99)))
	if b.nethttp != nil {
		to.atMost("three uncached Asks ÷ net/http + errgroup, CPU", "×", median(asks.over(b.gateway, b.nethttp)), 0.6, 3)
		to.aim("×", 0.45)
		to.atMost("added p99 over the slowest backend at 1,000/s ÷ net/http's", "×", median(tails.addedOver(b.gateway, b.nethttp, 99)), 0.6, 3)
		to.aim("×", 0.35)
	}
	if b.caddy != nil {
		to.note("three uncached Asks ÷ Caddy, CPU", "%.2f×", median(asks.over(b.gateway, b.caddy)))
	}
	if b.lua != nil {
		to.atMost("three uncached Asks ÷ nginx with Lua, CPU", "×", median(asks.over(b.gateway, b.lua)), 1.3, 3)
		to.aim("×", 1)
	}
	to.note("memory of the gateway, 64 connections saturated, the most", "%.0f MiB", asks.memory[b.gateway])
	return nil
}
