package main

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// system is a backend as a peer knows it: what the gateway's answer calls it, and the whole address to ask.
type system struct{ name, url string }

// nginxFrame is what both configurations have in common: nothing is logged, connections to clients and systems are kept, and
// every file lies in the run's folder.
const nginxFrame = `load_module /usr/lib/nginx/modules/ndk_http_module.so;
load_module /usr/lib/nginx/modules/ngx_http_lua_module.so;
daemon off;
user root;
pid @DIR@/nginx.pid;
error_log @DIR@/error.log warn;
worker_processes auto;
worker_rlimit_nofile 16384;
events { worker_connections 8192; }
http {
  access_log off;
  default_type application/json;
  keepalive_requests 100000000;
  client_body_temp_path @DIR@/body;
  proxy_temp_path @DIR@/proxy;
  fastcgi_temp_path @DIR@/fastcgi;
  uwsgi_temp_path @DIR@/uwsgi;
  scgi_temp_path @DIR@/scgi;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_buffers 16 16k;
  proxy_buffer_size 16k;
@HTTP@
  server {
    listen @ADDRESS@ backlog=4096;
@SERVER@
  }
}
`

// nginxCache answers from proxy_cache what an origin has answered once.
const nginxCache = `
    location / {
      proxy_pass http://origin;
      proxy_cache warm;
      proxy_cache_key $request_uri;
      proxy_cache_valid 200 1h;
      proxy_ignore_headers Cache-Control Expires Vary Set-Cookie X-Accel-Expires;
    }`

// nginxLua asks the three systems at once, decodes what they answer and encodes the same answer as the gateway.
const nginxLua = `
    location / {
      content_by_lua_block {
        local cjson = require "cjson"
        local got = { ngx.location.capture_multi({ { "/system/0" }, { "/system/1" }, { "/system/2" } }) }
        for i = 1, 3 do
          if got[i].status ~= 200 then return ngx.exit(502) end
        end
        local booked = cjson.decode(got[1].body).reservations.reservationInfo[1]
        local stay = booked.roomStay
        local booking = { arrival = stay.arrivalDate, departure = stay.departureDate, room_type = stay.roomType,
          people = (stay.adultCount or 0) + (stay.childCount or 0), surname = booked.reservationGuest.surname }
        for _, id in ipairs(booked.reservationIdList) do
          if id.type == "Reservation" then booking.id = id.id end
          if id.type == "Confirmation" then booking.confirmation = id.id end
        end
        local rooms, offers = {}, {}
        for i, r in ipairs(cjson.decode(got[2].body).hotelRoomsDetails.room) do
          rooms[i] = { number = r.roomId, type = r.roomType.roomType, floor = r.floor }
        end
        for _, segment in ipairs(cjson.decode(got[3].body).hotelAvailability) do
          for _, s in ipairs(segment.roomStays) do
            for _, r in ipairs(s.roomRates) do
              local free = 0
              if not r.availability or r.availability == "Available" then free = r.numberOfUnits or 0 end
              local amount = r.total.amountAfterTax or r.total.amountBeforeTax
              offers[#offers + 1] = { type = r.roomType, plan = r.ratePlanCode, free = free, minor = math.floor(tonumber(amount) * 100 + 0.5) }
            end
          end
        end
        local now = os.date("!%Y-%m-%dT%H:%M:%SZ", ngx.time())
        local body = cjson.encode({ booking = booking, rooms = rooms, offers = offers, sources = {
          { system = "@NAME0@", as_of = now, state = "live" }, { system = "@NAME1@", as_of = now, state = "live" },
          { system = "@NAME2@", as_of = now, state = "live" } } })
        ngx.header["Content-Type"] = "application/json"
        ngx.header["Content-Length"] = #body
        ngx.print(body)
      }
    }`

// startNginxCache starts nginx in front of an origin.
func startNginxCache(r *run, name, origin string) (*subject, error) {
	dir, err := nginxFolder(r, "nginx-cache")
	if err != nil {
		return nil, err
	}
	http := "  proxy_cache_path " + filepath.Join(dir, "cache") + " keys_zone=warm:10m inactive=2h;\n" + upstream("origin", origin)
	return startNginx(r, name, dir, http, nginxCache)
}

// startNginxLua starts nginx in front of the systems.
func startNginxLua(r *run, name string, systems []system) (*subject, error) {
	dir, err := nginxFolder(r, "nginx-lua")
	if err != nil {
		return nil, err
	}
	http, server := "", nginxLua
	for i, s := range systems {
		u, err := url.Parse(s.url)
		if err != nil {
			return nil, err
		}
		group := fmt.Sprintf("system%d", i)
		http += upstream(group, u.Host)
		server = strings.ReplaceAll(server, fmt.Sprintf("@NAME%d@", i), s.name)
		server += fmt.Sprintf("\n    location = /system/%d { internal; proxy_pass \"http://%s%s\"; }", i, group, u.RequestURI())
	}
	return startNginx(r, name, dir, http, server)
}

func upstream(name, host string) string {
	return "  upstream " + name + " { server " + host + "; keepalive 256; keepalive_requests 100000000; }\n"
}

func nginxFolder(r *run, name string) (string, error) {
	dir := filepath.Join(r.dir, name)
	return dir, os.MkdirAll(dir, 0o755) //nolint:gosec // below the run's own folder, which nobody else may enter
}

func startNginx(r *run, name, dir, http, server string) (*subject, error) {
	program, err := exec.LookPath("nginx")
	if err != nil {
		return nil, fmt.Errorf("nginx is not there: .ci/peers installs it: %w", err)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	text := strings.NewReplacer("@DIR@", dir, "@ADDRESS@", address, "@HTTP@", http, "@SERVER@", server).Replace(nginxFrame)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		return nil, err
	}
	return launch(r, name, address, nil, program, "-p", dir, "-c", file)
}

// freeAddress returns an address that nobody listened at a moment ago, for programs that take no socket.
func freeAddress() (string, error) {
	l, err := listen()
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
