//! `websocket`: a mini-program and a page that keep a WebSocket, and a server that knows who they are.

use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;

use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::http::HeaderValue;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::{ClientRequestBuilder, Error, Message, WebSocket};

use super::fronts::{Place, free_address, moved};
use super::{auth_request, config_of, recipes};
use crate::harness::{Ask, Backend, LONGEST, Line, Process, Scratch, World};

/// A server that greets each client by its openid, chooses `chat` where that is offered, and sends back what it hears.
fn server() -> Backend {
    Backend::that(|conversation| {
        let mut user = String::new();
        #[expect(clippy::result_large_err, reason = "so the library wants it")]
        let choose = |asked: &Request, mut answer: Response| -> Result<Response, ErrorResponse> {
            let header = |name| asked.headers().get(name)?.to_str().ok();
            header("x-openid").unwrap_or("nobody").clone_into(&mut user);
            let offered = header("sec-websocket-protocol").unwrap_or_default();
            if offered.split(',').any(|name| name.trim() == "chat") {
                let chat = HeaderValue::from_static("chat");
                answer.headers_mut().insert("sec-websocket-protocol", chat);
            }
            Ok(answer)
        };
        let mut socket = tungstenite::accept_hdr(conversation.raw(), choose).unwrap();
        socket.send(Message::text(user)).unwrap();
        while let Ok(message) = socket.read() {
            if message.is_text() {
                socket.send(message).unwrap();
            }
        }
    })
}

fn world() -> World {
    let config = config_of("websocket").replace("http://127.0.0.1:2346", "BACKEND");
    World::around(&config, server())
}

fn connect(world: &World, request: ClientRequestBuilder) -> Result<WebSocket<TcpStream>, Error> {
    connect_to(world.address(), request)
}

fn connect_to(
    address: SocketAddr,
    request: ClientRequestBuilder,
) -> Result<WebSocket<TcpStream>, Error> {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(LONGEST)).unwrap();
    let request = request.into_client_request().unwrap();
    let opened = tungstenite::client(request, stream);
    opened
        .map(|(socket, _)| socket)
        .map_err(|error| match error {
            tungstenite::HandshakeError::Failure(error) => error,
            tungstenite::HandshakeError::Interrupted(_) => panic!("it takes too long"),
        })
}

fn socket() -> ClientRequestBuilder {
    ClientRequestBuilder::new("ws://api.example.com/socket".parse().unwrap())
}

/// Holds that a socket is alice's, and that both are heard.
#[track_caller]
fn is_of_alice(world: &World, socket: &mut WebSocket<TcpStream>) {
    let alice = world.openid_of("alice");
    assert_eq!(socket.read().unwrap(), Message::text(alice));
    socket.send(Message::text("在吗")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("在吗"));
}

#[test]
fn a_mini_program_and_a_page_connect_as_their_user_and_are_told_when_that_ends() {
    let world = world();
    keeps_sockets(&world, world.address());
}

#[test]
fn they_may_come_through_an_nginx() {
    let world = world();
    let config = std::fs::read_to_string(recipes().join("websocket.nginx.conf")).unwrap();
    let (scratch, address) = (Scratch::new(), free_address());
    let config = auth_request::here(&moved(&config, "8080", world.address()), address);
    let mut nginx = auth_request::command(&Place {
        config: scratch.write("nginx.conf", &config),
        directory: scratch.path(),
        address,
    });
    nginx.current_dir(scratch.path()).stdin(Stdio::null());
    let nginx = Process::start(nginx, "tests/run.sh installs what the tests need");
    nginx.error_line("sign that it listens", auth_request::is_ready);
    keeps_sockets(&world, address);
    // What is no upgrade stays none.
    let answer = Line::to(address).ask(&Ask::get("/wx/login"));
    answer.refused(400, "login_code_missing");
}

/// Holds that alice keeps two sockets there until she logs out.
#[track_caller]
fn keeps_sockets(world: &World, address: SocketAddr) {
    let skey = world.skey_of("alice");
    let mini_program = socket().with_header("X-Skey", skey.clone());
    let mut mini_program = connect_to(address, mini_program).unwrap();
    is_of_alice(world, &mut mini_program);
    let page = socket()
        .with_sub_protocol("chat")
        .with_sub_protocol(format!("wxgate.skey.{skey}"));
    let mut page = connect_to(address, page).unwrap();
    is_of_alice(world, &mut page);

    assert_eq!(world.ask(&Ask::post("/wx/logout").skey(&skey)).status, 200);
    for mut socket in [mini_program, page] {
        let Message::Close(Some(farewell)) = socket.read().unwrap() else {
            panic!("a farewell should come");
        };
        assert_eq!(farewell.code, CloseCode::Policy);
        assert_eq!(farewell.reason, "session_invalid");
        assert!(matches!(socket.read(), Err(Error::ConnectionClosed)));
    }
}

#[test]
fn without_a_session_there_is_no_socket() {
    let world = world();
    let page = socket()
        .with_sub_protocol("chat")
        .with_sub_protocol(format!("wxgate.skey.{}", "A".repeat(43)));
    for request in [socket(), page] {
        let Err(Error::Http(answer)) = connect(&world, request) else {
            panic!("it should be refused");
        };
        assert_eq!(answer.status(), 401);
    }
    assert_eq!(world.backend.connections(), 0);
}
