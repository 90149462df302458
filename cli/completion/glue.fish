# What completes a line of sluice in fish; what follows is printed by sluice itself
# (cli/completion.h).

function __sluice_names
    timeout 1 sluice $argv[1] --json 2>/dev/null |
        string match -ra '\{"'$argv[2]'":"[A-Za-z0-9_.:-]+"' |
        string split -f 4 '"'
end

function __sluice_words
    switch $argv[1]
        case command
            __sluice_commands
        case queue
            __sluice_names queues name
        case worker
            __sluice_names workers identity
        case shell
            string split ' ' 'bash zsh fish'
    end
end

complete -c sluice -f
