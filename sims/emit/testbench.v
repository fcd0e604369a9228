// Self-checking testbench of ARCHMODEL_TOP, without any library: loads a program, answers the memory port with a
// constant latency and interval, and compares total cycles, the start and end of every command, and every word of memory.
//
//   program.hex    3 words of header, then the instructions of load, exec and store (and the schedule), eight 32-bit words each
//   memory.hex     the memory before the run, a beat a line
//   expected.hex   the memory after it
//   cycles.hex     total cycles, then start and end of every command: load's, exec's, store's
//
// A command starts at its issue and ends when its token becomes visible; cycle 0 is that of the start pulse.
`timescale 1ps / 1ps

module archmodel_testbench;
//PARAMETERS
  localparam [31:0] NOWHERE = 32'hffffffff;
  localparam SHOWN = 8;  // differences of a kind that are printed

  reg [31:0] code [0:CODE_WORDS-1];
  reg [BEAT_BITS-1:0] memory [0:BEATS-1];
  reg [BEAT_BITS-1:0] expected [0:BEATS-1];
  reg [63:0] cycles [0:2*COMMANDS];

  reg clk, rst, program_write, start, request_ready, read_valid, written;
  reg [UNIT_BITS-1:0] program_unit;
  reg [15:0] program_address;
  reg [2:0] program_lane;
  reg [31:0] program_data;
  reg [BEAT_BITS-1:0] read_data;
  wire done, refused, request_valid, request_write, read_ready;
  wire [31:0] request_address;
  wire [LENGTH_BITS-1:0] request_length;
  wire [BEAT_BITS-1:0] request_data;
  wire [2:0] trace_start, trace_end;

  ARCHMODEL_TOP engine (
    .clk(clk), .rst(rst), .program_write(program_write), .program_unit(program_unit), .program_address(program_address),
    .program_lane(program_lane), .program_data(program_data), .start(start), .done(done), .refused(refused),
    .request_valid(request_valid), .request_ready(request_ready), .request_write(request_write),
    .request_address(request_address), .request_length(request_length), .request_data(request_data),
    .read_valid(read_valid), .read_ready(read_ready), .read_data(read_data), .written(written),
    .trace_start(trace_start), .trace_end(trace_end)
  );

//SEGMENTS
  // --- The memory behind the port -----------------------------------------------------------------------------------
  // A request of cycle t gives its first beat in t + LATENCY at the earliest, beats come one every INTERVAL cycles and in
  // order; a write is answered LATENCY cycles after its last beat.  At most 255 requests are outstanding.

  reg [63:0] t, next_read, next_write;
  reg [63:0] read_at [0:255];
  reg [31:0] read_address [0:255];
  reg [31:0] read_length [0:255];
  reg [63:0] answer_at [0:255];
  reg [7:0] read_head, read_tail, answer_head, answer_tail;
  reg [31:0] read_beat, write_beat, index;

  task drive;
    begin
      start = t == 0;
      request_ready = t >= next_write;
      read_valid = read_head != read_tail && read_at[read_head] <= t && t >= next_read;
      if (read_valid) read_data = memory[index_of(read_address[read_head] + read_beat)];
      written = answer_head != answer_tail && answer_at[answer_head] <= t;
    end
  endtask

  task answer;
    begin
      if (request_valid && request_ready) begin
        index = index_of(request_address);
        if (index == NOWHERE || (!request_write && index_of(request_address + request_length - 1) == NOWHERE)) begin
          $display("FAIL: cycle %0d: a request of %0d beats from beat %0d on, which the program does not touch", t, request_length,
                   request_address);
          $fatal(1, "FAIL");
        end
        if (request_write) begin
          memory[index] = request_data;
          next_write = t + INTERVAL;
          write_beat = write_beat + 1;
          if (write_beat == request_length) begin
            answer_at[answer_tail] = t + LATENCY;
            answer_tail = answer_tail + 1;
            write_beat = 0;
          end
        end else begin
          read_at[read_tail] = t + LATENCY;
          read_address[read_tail] = request_address;
          read_length[read_tail] = request_length;
          read_tail = read_tail + 1;
        end
      end
      if (read_valid) begin
        next_read = t + INTERVAL;
        read_beat = read_beat + 1;
        if (read_beat == read_length[read_head]) begin
          read_head = read_head + 1;
          read_beat = 0;
        end
      end
      if (written) answer_head = answer_head + 1;
    end
  endtask

  // --- What is compared ---------------------------------------------------------------------------------------------

  integer unit, command_errors, word_errors, total_errors, i, j;
  integer starts [0:2];
  integer ends [0:2];

  function integer first_of(input integer which);  // in cycles.hex, of a unit's commands
    first_of = 1 + 2 * (which == 0 ? 0 : which == 1 ? LOAD_COMMANDS : LOAD_COMMANDS + EXEC_COMMANDS);
  endfunction

  function integer commands_of(input integer which);
    commands_of = which == 0 ? LOAD_COMMANDS : which == 1 ? EXEC_COMMANDS : STORE_COMMANDS;
  endfunction

  task event_seen(input is_end, input integer number, input [63:0] cycle);
    begin
      if (number >= commands_of(unit)) begin
        command_errors = command_errors + 1;
        if (command_errors <= SHOWN)
          $display("FAIL: unit %0d: command %0d in cycle %0d, expected %0d commands", unit, number, cycle, commands_of(unit));
      end else if (cycles[first_of(unit) + 2 * number + is_end] !== cycle) begin
        command_errors = command_errors + 1;
        if (command_errors <= SHOWN)
          $display("FAIL: unit %0d: command %0d %0s in cycle %0d, expected %0d", unit, number, is_end ? "ends" : "starts", cycle,
                   cycles[first_of(unit) + 2 * number + is_end]);
      end
    end
  endtask

  task watch;
    for (unit = 0; unit < 3; unit = unit + 1) begin
      if (trace_start[unit]) begin
        event_seen(1'b0, starts[unit], t);
        starts[unit] = starts[unit] + 1;
      end
      if (trace_end[unit]) begin
        event_seen(1'b1, ends[unit], t + 1);
        ends[unit] = ends[unit] + 1;
      end
    end
  endtask

  task compare;
    begin
      if (cycles[0] !== t) begin
        total_errors = 1;
        $display("FAIL: %0d cycles, expected %0d", t, cycles[0]);
      end
      for (unit = 0; unit < 3; unit = unit + 1)
        if (starts[unit] != commands_of(unit) || ends[unit] != commands_of(unit)) begin
          command_errors = command_errors + 1;
          $display("FAIL: unit %0d: %0d commands started and %0d ended, expected %0d", unit, starts[unit], ends[unit],
                   commands_of(unit));
        end
      for (i = 0; i < BEATS; i = i + 1)
        if (memory[i] !== expected[i] || ^expected[i] === 1'bx) begin
          word_errors = word_errors + 1;
          if (word_errors <= SHOWN) $display("FAIL: memory beat %0d is %h, expected %h", address_of(i), memory[i], expected[i]);
        end
    end
  endtask

  // --- The run ------------------------------------------------------------------------------------------------------

  task tick;
    begin
      #HALF_PERIOD_PS clk = 1;
      #HALF_PERIOD_PS clk = 0;
    end
  endtask

  task write_word(input integer to_unit, input integer address, input integer lane, input [31:0] data);
    begin
      program_write = 1;
      program_unit = to_unit[UNIT_BITS-1:0];
      program_address = address[15:0];
      program_lane = lane[2:0];
      program_data = data;
      tick;
      program_write = 0;
    end
  endtask

  task load_stream(input integer to_unit, input integer from, input integer instructions);
    for (i = 0; i < instructions; i = i + 1)
      for (j = 0; j < 8; j = j + 1) write_word(to_unit, i, j, code[from + 8 * i + j]);
  endtask

  task prepare;
    begin
      $readmemh("program.hex", code);
      $readmemh("memory.hex", memory);
      $readmemh("expected.hex", expected);
      $readmemh("cycles.hex", cycles);
      {clk, program_write, start, request_ready, read_valid, written} = 0;
      {program_unit, program_address, program_lane, program_data, read_data} = 0;
      {t, next_read, next_write, read_head, read_tail, answer_head, answer_tail, read_beat, write_beat} = 0;
      command_errors = 0;
      word_errors = 0;
      total_errors = 0;
      for (unit = 0; unit < 3; unit = unit + 1) begin
        starts[unit] = 0;
        ends[unit] = 0;
      end
      rst = 1;
      tick;
      tick;
      rst = 0;
      for (j = 0; j < 3; j = j + 1) write_word(HEADER, 0, j, code[j]);
      load_stream(0, 3, LOAD_INSTRUCTIONS);
      load_stream(1, 3 + 8 * LOAD_INSTRUCTIONS, EXEC_INSTRUCTIONS);
      load_stream(2, 3 + 8 * (LOAD_INSTRUCTIONS + EXEC_INSTRUCTIONS), STORE_INSTRUCTIONS);
      load_stream(3, 3 + 8 * (LOAD_INSTRUCTIONS + EXEC_INSTRUCTIONS + STORE_INSTRUCTIONS), SCHEDULE_INSTRUCTIONS);
    end
  endtask

  reg finished;

  initial begin
    prepare;
    finished = 0;
    while (!finished) begin
      drive;
      #HALF_PERIOD_PS;  // outputs have settled; the edge comes
      if (t == 1 && refused !== 1'b0) $fatal(1, "FAIL: the program names other hardware than this engine");
      if (t > LIMIT) begin
        $display("FAIL: the watchdog ends the run in cycle %0d, expected %0d cycles", t, cycles[0]);
        $fatal(1, "FAIL");
      end
      finished = t > 0 && done === 1'b1;
      if (!finished) begin
        watch;
        answer;
      end
      clk = 1;
      #HALF_PERIOD_PS clk = 0;
      if (!finished) t = t + 1;
    end
    compare;
    if (command_errors + word_errors + total_errors != 0) begin
      $display("FAIL: %0d starts or ends of commands and %0d beats of memory differ, total cycles %0s", command_errors, word_errors,
               total_errors != 0 ? "differ" : "agree");
      $fatal(1, "FAIL");
    end
    $display("PASS: %0d beats of memory, %0d commands, %0d cycles", BEATS, COMMANDS, t);
    $finish;
  end
endmodule
